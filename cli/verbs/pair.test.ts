// `ppn pair` in front of an authority that says what the test wants: questions, answers, ends.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { AdminBackend, AdminCeremony } from '../../authority/admin/backend.ts'
import { type AdminServer, serveAdmin } from '../../authority/admin/server.ts'
import { PpnError } from '../../base/errors.ts'
import { silentLogger } from '../../base/log.ts'
import { type VirtualClock, virtualClock } from '../../testing/virtual-clock.ts'
import type { Io } from '../io.ts'
import { ending as ended, recording, untilSaid } from '../testing/listening.ts'
import { pair } from './pair.ts'

const PENDING: AdminCeremony = { phase: 'Pending', reason: 'Pending', message: 'waiting for the machine' }
const MACHINE = { hostname: 'laptop.local', from: '192.0.2.7', agentVersion: '0.1.0', wireguardPublicKey: 'k' }
const CALLS: AdminCeremony = {
  phase: 'AwaitingSAS',
  reason: 'AwaitingSAS',
  message: 'laptop.local at 192.0.2.7 waits',
  machine: MACHINE,
}

let state: string
let server: AdminServer | undefined
let clock: VirtualClock
let stop: AbortController
let input: PassThrough
let said: { out: string; err: string }
/** What was asked of the authority, in order. */
let asked: string[]
/** What it answers about the ceremony now. */
let ceremony: AdminCeremony | 'gone'
let pairings: object[]

beforeEach(async () => {
  state = mkdtempSync(join(tmpdir(), 'ppn-pair-'))
  clock = virtualClock()
  stop = new AbortController()
  input = new PassThrough()
  said = { out: '', err: '' }
  asked = []
  ceremony = PENDING
  pairings = []
  await begin()
})
afterEach(async () => {
  await server?.close()
  rmSync(state, { recursive: true })
})

async function begin(): Promise<void> {
  const backend = {
    version: () => ({}),
    objects: ({ kind, name }: { kind?: string; name?: string }) =>
      kind === 'Pairing' ? pairings : name === 'laptop' ? [{ kind: 'Node' }] : [],
    create: async (kind: string, name: string, spec: object) => {
      asked.push(`create ${kind} ${name.replace(/-....$/, '-*')} ${JSON.stringify(spec)}`)
      return {}
    },
    amend: async (_: string, spec: object) => {
      asked.push(`amend ${JSON.stringify(spec)}`)
      return {}
    },
    remove: async () => void asked.push('remove'),
    ceremony: () => {
      if (ceremony === 'gone') throw new PpnError('ObjectNotFound', { key: 'Pairing/x' })
      return ceremony
    },
  }
  server = await serveAdmin(state, backend as unknown as AdminBackend, silentLogger())
}

function run(options: { node?: string; replace?: boolean } = {}) {
  const io = {
    ...recording(said),
    env: {},
    cwd: state,
    clock,
    signal: stop.signal,
  } as unknown as Io
  return pair(io, { state, node: 'laptop', ...options }, input)
}

const until = (text: string) => untilSaid(clock, said, text)
const ending = (result: Promise<number>) => ended(clock, result)
const type = (text: string) => void input.write(`${text}\n`)
const SPEC = '{"nodeName":"laptop","rendezvous":"A1B2","code":"K70F-2M11"}'

test('what the machine shows is asked for, then its digits; approved is 0', async () => {
  const result = run()
  await until('rendezvous the machine shows')
  type('alb2')
  await until('code it shows')
  type('k7of 2mil')
  await until('waiting for the machine')
  ceremony = CALLS
  await until('digits on its screen')
  type('482 913')
  ceremony = {
    ...CALLS,
    reason: 'AwaitingNode',
    message: 'approved; the person has still to confirm',
    digits: '482913',
  }
  await until('digits here   482 913')
  ceremony = { phase: 'Approved', reason: 'Approved', message: 'node laptop is enrolled' }
  expect(await ending(result)).toBe(0)
  expect(said.out).toBe('Approved: node laptop is enrolled\n')
  expect(asked).toEqual([
    `create Pairing laptop-a1b2-* ${SPEC}`,
    `amend ${SPEC.slice(0, -1)},"sas":"482913","decision":"Approve"}`,
  ])
})

test('what a phone read answers both questions', async () => {
  type('ppn:a1b2-k70f-2m11')
  const result = run({ replace: true })
  await until('waiting for the machine')
  expect(said.err).not.toContain('code it shows')
  expect(asked).toEqual([`create Pairing laptop-a1b2-* ${SPEC.slice(0, -1)},"replace":true}`])
  ceremony = { phase: 'Burned', reason: 'Burned', message: 'five tries' }
  expect(await ending(result)).toBe(1)
  expect(said.out).toBe('Burned: five tries\n')
})

test('what is no code is said, and asked for again', async () => {
  type('A1B')
  type('A1B2')
  type('K70F-2M1U')
  type('K70F-2M11')
  const result = run()
  await until('waiting for the machine')
  expect(said.err).toContain('this is no rendezvous: it has 4 letters and digits')
  expect(said.err).toContain('this is no code: it has 8 letters and digits')
  ceremony = { phase: 'Expired', reason: 'Expired', message: 'too late' }
  expect(await ending(result)).toBe(1)
})

test.each(['deny', 'No'])('%s instead of digits lets nobody in', async (word) => {
  type('A1B2-K70F-2M11')
  const result = run()
  ceremony = CALLS
  await until('digits on its screen')
  type(word)
  while (asked.length < 2) await clock.advance(50)
  ceremony = { phase: 'Denied', reason: 'Denied', message: 'nobody joined' }
  expect(await ending(result)).toBe(1)
  expect(asked.at(-1)).toBe(`amend ${SPEC.slice(0, -1)},"decision":"Deny"}`)
})

test('a ceremony that ends while digits are asked for ends the question', async () => {
  type('A1B2-K70F-2M11')
  const result = run()
  ceremony = CALLS
  await until('digits on its screen')
  ceremony = { phase: 'Denied', reason: 'Denied', message: 'the digits on the two screens differ' }
  expect(await ending(result)).toBe(1)
  expect(said.out).toContain('Denied: the digits on the two screens differ')
  expect(asked.length).toBe(1)
})

test('a Pairing deleted by somebody else is an end as well', async () => {
  type('A1B2-K70F-2M11')
  const result = run()
  await until('waiting for the machine')
  ceremony = 'gone'
  expect(await ending(result)).toBe(1)
  expect(said.out).toContain('Withdrawn: the Pairing was deleted')
})

test.each([
  ['before anything was declared', undefined],
  ['while the machine is waited for', PENDING],
  ['while digits are asked for', CALLS],
] as const)('stopped %s, it takes back what it declared and says so', async (_, shown) => {
  if (shown) type('A1B2-K70F-2M11')
  if (shown) ceremony = shown
  const result = run()
  await until(!shown ? 'rendezvous' : shown === PENDING ? 'waiting for the machine' : 'digits on its screen')
  stop.abort(new Error('stopped by SIGINT'))
  expect(await ending(result)).toBe(1)
  expect(said.err).toContain(shown ? 'the Pairing is taken back' : 'nothing was declared')
  expect(asked.filter((what) => what === 'remove').length).toBe(shown ? 1 : 0)
})

test('stopped when the machine is enrolled already, it says that', async () => {
  type('A1B2-K70F-2M11')
  const result = run()
  await until('waiting for the machine')
  ceremony = { phase: 'Approved', reason: 'Approved', message: 'enrolled' }
  stop.abort(new Error('stopped by SIGINT'))
  expect(await ending(result)).toBe(0)
  expect(asked).not.toContain('remove')
})

test('one that is open for the node already is gone on with, and stays when this call is stopped', async () => {
  pairings = [
    { metadata: { name: 'old' }, spec: { nodeName: 'laptop' }, status: { phase: 'Denied' } },
    { metadata: { name: 'other' }, spec: { nodeName: 'tablet' } },
    { metadata: { name: 'from-git' }, spec: { nodeName: 'laptop', code: 'K70F-2M11' }, status: { phase: 'Pending' } },
  ]
  const result = run()
  await until('Pairing from-git is open for laptop: going on with it')
  ceremony = CALLS
  await until('digits on its screen')
  stop.abort(new Error('stopped'))
  expect(await ending(result)).toBe(1)
  expect(said.err).toContain('Pairing from-git stays open')
  expect(asked).toEqual([])
})

test('a code in a Secret that nobody can read here is an end, not a wait', async () => {
  pairings = [{ metadata: { name: 'p' }, spec: { nodeName: 'laptop', codeSecretRef: { name: 's', key: 'k' } } }]
  ceremony = { phase: 'Pending', reason: 'SecretNeedsCluster', message: 'only a cluster has Secrets' }
  expect(await ending(run())).toBe(1)
  expect(said.out).toBe('SecretNeedsCluster: only a cluster has Secrets\n')
  expect(asked).toEqual([])
})

test('a rendezvous that another Pairing has: said at once, and nothing is left behind', async () => {
  type('A1B2-K70F-2M11')
  ceremony = { phase: 'Pending', reason: 'RendezvousTaken', message: 'another open Pairing has it' }
  expect(await ending(run())).toBe(1)
  expect(said.out).toContain('RendezvousTaken')
  expect(asked.at(-1)).toBe('remove')
})

test('the authority restarts in the middle: it is said, and gone on with', async () => {
  type('A1B2-K70F-2M11')
  const result = run()
  await until('waiting for the machine')
  await server?.close()
  await until('the authority does not answer')
  ceremony = CALLS
  await begin()
  await until('digits on its screen')
  type('482913')
  ceremony = { phase: 'Approved', reason: 'Approved', message: 'enrolled' }
  expect(await ending(result)).toBe(0)
})

test('a node that nobody declared, and an authority that does not run, are said before any question', async () => {
  await expect(run({ node: 'nobody' })).rejects.toMatchObject({ message: 'there is no Node nobody' })
  await server?.close()
  await expect(run()).rejects.toMatchObject({ exit: 69 })
  expect(said.err).toBe('')
})
