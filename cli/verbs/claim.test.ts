// `ppn claim` in front of an authority that says what the test wants.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { AdminBackend, AdminCeremony } from '../../authority/admin/backend.ts'
import { type AdminServer, serveAdmin } from '../../authority/admin/server.ts'
import { PpnError } from '../../base/errors.ts'
import { silentLogger } from '../../base/log.ts'
import { systemRandom } from '../../base/random.ts'
import { fromBase64, generateEd25519, toBase64 } from '../../protocol/keys.ts'
import { verifyGrant } from '../../protocol/pairing/claim-frame.ts'
import { type VirtualClock, virtualClock } from '../../testing/virtual-clock.ts'
import type { Io } from '../io.ts'
import { ending as ended, recording, untilSaid } from '../testing/listening.ts'
import { type ClaimOptions, claim } from './claim.ts'

const CALLING: AdminCeremony = { phase: 'Pending', reason: 'Calling', message: 'claims the machine: calling' }
const authority = generateEd25519(systemRandom)
const operator = generateEd25519(systemRandom)

interface Made {
  nodeName: string
  address: string
  code: string
  rendezvous: string
  [field: string]: unknown
}

let state: string
let server: AdminServer
let clock: VirtualClock
let stop: AbortController
let input: PassThrough
let said: { out: string; err: string }
let files: Record<string, string>
/** Declared Nodes; the value says whether somebody is enrolled. */
let nodes: Map<string, boolean>
let made: Map<string, Made>
let removed: string[]
let ceremonyOf: (pairing: Made) => AdminCeremony

beforeEach(async () => {
  state = mkdtempSync(join(tmpdir(), 'ppn-claim-'))
  clock = virtualClock()
  stop = new AbortController()
  input = new PassThrough()
  said = { out: '', err: '' }
  files = {}
  nodes = new Map([['edge-3', false]])
  made = new Map()
  removed = []
  ceremonyOf = () => CALLING
  const backend = {
    version: () => ({}),
    objects: ({ kind, name }: { kind: string; name?: string }) =>
      kind === 'Pairing'
        ? [...made].map(([id, spec]) => ({ metadata: { name: id }, spec, status: { phase: ceremonyOf(spec).phase } }))
        : [...nodes]
            .filter(([node]) => node === name)
            .map(([, enrolled]) => ({
              kind: 'Node',
              status: { conditions: [{ type: 'Enrolled', status: enrolled ? 'True' : 'False' }] },
            })),
    keys: () => ({
      signingPublicKey: toBase64(authority.publicKey),
      operatorPublicKey: toBase64(operator.publicKey),
    }),
    create: async (_: string, name: string, spec: Made) => {
      made.set(name, spec)
      return {}
    },
    amend: async () => ({}),
    remove: async (key: string) => {
      removed.push(key)
      made.delete(key.replace('Pairing/', ''))
    },
    ceremony(name: string) {
      const spec = made.get(name)
      if (!spec) throw new PpnError('ObjectNotFound', { key: name })
      return ceremonyOf(spec)
    },
  }
  server = await serveAdmin(state, backend as unknown as AdminBackend, silentLogger())
})
afterEach(async () => {
  await server.close()
  rmSync(state, { recursive: true })
})

function run(address: string | undefined, options: Partial<ClaimOptions> = {}): Promise<number> {
  const io = {
    ...recording(said),
    read: async (file: string) => files[file] ?? Promise.reject(new Error(`no ${file}`)),
    ...{ env: {}, cwd: state, clock, signal: stop.signal },
  }
  return claim(io as unknown as Io, address, { state, timeout: '2m', ...options }, input)
}

const until = (text: string) => untilSaid(clock, said, text)
const ending = (result: Promise<number>) => ended(clock, result)
const approved: AdminCeremony = { phase: 'Approved', reason: 'Approved', message: 'enrolled' }
const only = () => [...made.values()][0] as Made

test('one machine: its code is asked for and called by address; the digits are compared as with pair', async () => {
  const result = run('192.0.2.7', { node: 'edge-3' })
  await until('code the machine shows')
  input.write('e8i4 veqn\n')
  await until('claims the machine')
  expect(only()).toMatchObject({ nodeName: 'edge-3', address: '192.0.2.7', code: 'E814-VEQN' })
  expect(only().rendezvous).toMatch(/^[0-9A-HJKMNP-TV-Z]{4}$/)
  expect(only()).not.toHaveProperty('trustCode')
  ceremonyOf = () => ({ ...CALLING, phase: 'AwaitingSAS', machine: {} as never })
  await until('digits on its screen')
  input.write('217078\n')
  ceremonyOf = () => ({ ...CALLING, phase: 'AwaitingSAS', machine: {} as never, digits: '217078' })
  await until('digits here   217 078')
  ceremonyOf = () => approved
  expect(await ending(result)).toBe(0)
})

test('--trust-code asks for no digits; ours are shown all the same, for a person there', async () => {
  const result = run('192.0.2.7:9444', { node: 'edge-3', trustCode: true })
  await until('code the machine shows')
  input.write('E814-VEQN\n')
  await until('claims the machine')
  expect(only()).toMatchObject({ trustCode: true, decision: 'Approve' })
  ceremonyOf = () => ({ ...CALLING, phase: 'AwaitingSAS', machine: {} as never, digits: '217078' })
  await until('digits here   217 078')
  ceremonyOf = () => approved
  expect(await ending(result)).toBe(0)
  expect(said.err).not.toContain('digits on its screen')
})

test('--operator-key signs for this authority; another key than the fleet’s is refused, and none is repeated', async () => {
  const other = generateEd25519(systemRandom)
  files = { good: `${toBase64(operator.secretKey)}\n`, other: toBase64(other.secretKey), noise: 'not a key' }
  for (const operatorKey of ['other', 'noise']) {
    const refused = run('192.0.2.7', { node: 'edge-3', operatorKey })
    await expect(ending(refused)).rejects.toThrow(/operator key/)
    await expect(refused).rejects.not.toThrow(files[operatorKey])
  }
  const result = run('192.0.2.7', { node: 'edge-3', operatorKey: 'good', trustCode: true })
  await until('code the machine shows')
  input.write('E814-VEQN\n')
  await until('claims the machine')
  const grant = fromBase64(String(only().grant), 64)
  expect(verifyGrant({ signingPublicKey: authority.publicKey, grant }, operator.publicKey)).toBe(true)
  ceremonyOf = () => approved
  await ending(result)
})

test.each([
  [undefined, {}, 'give an ADDRESS'],
  ['192.0.2.7', { from: 'x' }, 'give an ADDRESS'],
  ['192.0.2.7', {}, 'which Node'],
  ['not an address', { node: 'edge-3' }, 'no address'],
  ['192.0.2.7', { node: 'unknown' }, 'no Node unknown'],
  [undefined, { from: 'list' }, 'digits of a list'],
])('%s with %j is refused, and nobody is called', async (address, options, why) => {
  files = { list: '192.0.2.7,edge-3,E814-VEQN' }
  await expect(run(address, options)).rejects.toThrow(why)
  expect(made.size).toBe(0)
})

test('a list: what comes of one is nothing to another; the table says it, and the same call takes up the rest', async () => {
  nodes = new Map([
    ['rack-1', false],
    ['rack-2', false],
    ['rack-3', true],
    ['rack-4', false],
  ])
  files = {
    list: 'address,node,code\na,rack-1,E814-VEQN\nb,rack-2,E814-VEQN\nc,rack-3,E814-VEQN\nd,rack-4,E814-VEQN\ne,rack-5,E814-VEQN\n',
  }
  ceremonyOf = ({ nodeName }) => {
    if (nodeName === 'rack-1') return approved
    if (nodeName === 'rack-2') return { phase: 'Denied', reason: 'Denied', message: 'another code' }
    return { ...CALLING, message: 'cannot be reached' }
  }
  expect(await ending(run(undefined, { from: 'list', trustCode: true }))).toBe(1)
  expect(said.out.split('\n').map((line) => line.split(/ {3,}/))).toEqual([
    ['NODE', 'ADDRESS', 'RESULT', 'DETAIL'],
    ['rack-1', 'a', 'claimed'],
    ['rack-2', 'b', 'denied', 'another code'],
    ['rack-3', 'c', 'in the fleet already'],
    ['rack-4', 'd', 'not in time', 'cannot be reached'],
    ['rack-5', 'e', 'no such Node', 'declare it in the folder of the fleet'],
    [''],
  ])
  // What was not reached in time is taken back: its code is good for the next call alone.
  expect(removed.length).toBe(1)
  expect(said.out + said.err).not.toContain('VEQN')

  nodes = new Map([1, 2, 3, 4, 5].map((n) => [`rack-${n}`, n === 1 || n === 3]))
  ceremonyOf = () => approved
  made.clear()
  expect(await ending(run(undefined, { from: 'list', trustCode: true }))).toBe(0)
  expect([...made.values()].map(({ nodeName }) => nodeName).sort()).toEqual(['rack-2', 'rack-4', 'rack-5'])
})

test('an earlier claim for the same node that is still open is taken back first', async () => {
  made.set('edge-3-claim-old', { nodeName: 'edge-3', address: 'x', code: 'E814-VEQN', rendezvous: 'AAAA' })
  files = { list: '192.0.2.7,edge-3,E814-VEQN' }
  const result = run(undefined, { from: 'list', trustCode: true })
  await clock.advance(2_000)
  while (removed.length === 0) await clock.advance(50)
  ceremonyOf = () => approved
  expect(await ending(result)).toBe(0)
  expect(removed).toEqual(['Pairing/edge-3-claim-old'])
})

test('stopped by the person: what is open is taken back', async () => {
  files = { list: '192.0.2.7,edge-3,E814-VEQN' }
  const result = run(undefined, { from: 'list', trustCode: true })
  while (made.size === 0) await clock.advance(50)
  stop.abort(new Error('Ctrl-C'))
  expect(await ending(result)).toBe(1)
  expect(said.out).toMatch(/edge-3 .*stopped/)
  expect(made.size).toBe(0)
})
