// Fifty machines that hold, claimed by one person with one command: the real verb against a real authority, real sockets
// on the loopback, agents on simulated drivers. One is not declared at first.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { runGenesis } from '../../../agent/genesis/genesis.ts'
import { holdingCode } from '../../../agent/genesis/holding-code.ts'
import { loadPins } from '../../../agent/keys/pins.ts'
import { type SimulatedNode, simulatedNode } from '../../../agent/simulated/node.ts'
import type { Condition } from '../../../api/meta.ts'
import { type Standalone, startStandalone } from '../../../authority/main/standalone.ts'
import { systemClock } from '../../../base/clock.ts'
import { hostTransport } from '../../../base/host-transport.ts'
import { silentLogger } from '../../../base/log.ts'
import { loopbackTransport } from '../../../base/loopback-transport.ts'
import { systemRandom } from '../../../base/random.ts'
import type { Io } from '../../../cli/io.ts'
import { recording } from '../../../cli/testing/listening.ts'
import { claim } from '../../../cli/verbs/claim.ts'
import { armorBundle } from '../../../protocol/bundle/armor.ts'
import { fingerprint } from '../../../protocol/keys.ts'
import { memoryFiles } from '../../../testing/memory-files.ts'
import { becomes } from '../../lab/ready.ts'

const COUNT = 50
const root = mkdtempSync(join(tmpdir(), 'ppn-fifty-'))
const state = join(root, 'state')
const clock = systemClock()
const log = silentLogger()
const stop = new AbortController()
/** Its machines have loopback addresses of their own beside those that stand for the mesh's. */
const outside = hostTransport(clock)
const mesh = loopbackTransport({ firstOctet: 10, clock })
const racks = Array.from({ length: COUNT }, (_, i) => ({
  name: `rack-${String(i + 1).padStart(2, '0')}`,
  address: `10.8.0.${i + 10}`,
  outside: `127.100.${process.pid % 250}.${i + 10}`,
  files: memoryFiles(),
}))
const [late, ...declared] = racks as [(typeof racks)[number], ...typeof racks]
/** All share one process here: on a starved machine a handshake is too slow for its 10 s, and again a minute later. */
const WITHIN_MS = 600_000
const nodes: SimulatedNode[] = []
let authority: Standalone

const machine = async (address: string, files = memoryFiles(), behindNat = true) => {
  const made = await simulatedNode({
    ...{ address, files, transport: mesh, clock, random: systemRandom, log, behindNat },
    resolve: async () => '10.8.0.1',
  })
  nodes.push(made)
  return made
}

async function switchOn({ address, outside: at, files }: (typeof racks)[number]): Promise<void> {
  const node = await machine(address, files)
  const own = files.sub('agent')
  // Before it is read for the list: made once, by whoever asks first.
  await holdingCode(own, systemRandom)
  runGenesis(
    {
      ...{ clock, random: systemRandom, log, files: own, identity: await node.identity(), trustCode: true },
      ...{ agentVersion: '0.1.0', hostname: at, holdingPort: 9443, addresses: () => [at], show: () => {} },
      network: {
        listen: (onConnection) => outside.listen(at, 9443, onConnection),
        dial: () => Promise.reject(new Error('it hears nobody, and calls nobody')),
      },
      take: async (bundle, authorityFingerprint) => {
        await node.import(bundle, authorityFingerprint)
        await node.start()
      },
      enrolled: async () => (await loadPins(own)) !== undefined,
    },
    stop.signal,
  ).catch(() => {})
}

function terminal(): { io: Io; said: { out: string; err: string } } {
  const said = { out: '', err: '' }
  const io = {
    ...recording(said),
    read: async () => list(),
    ...{ clock, env: {}, cwd: root, signal: stop.signal },
  }
  return { io: io as unknown as Io, said }
}

let rows: string[]
const list = () => `address,node,code\n${rows.join('\n')}\n`
const ready = () =>
  authority.backend.objects({ kind: 'Node' }).filter((object) => {
    const { conditions = [] } = (object.status ?? {}) as { conditions?: Condition[] }
    return conditions.find(({ type }) => type === 'Ready')?.status === 'True'
  }).length

const node = (name: string, spec: object) =>
  stringify({ apiVersion: 'ppn.dev/v1alpha1', kind: 'Node', metadata: { name }, spec })
const spoke = ({ name, address }: (typeof racks)[number]) => node(name, { role: 'spoke', site: 'onprem', address })

beforeAll(async () => {
  mkdirSync(join(root, 'fleet'))
  const hub = { role: 'hub', site: 'cloud', endpoint: 'relay.example:51820', address: '10.8.0.1' }
  writeFileSync(join(root, 'fleet', 'nodes.yaml'), [node('relay', hub), ...declared.map(spoke)].join('---\n'))
  authority = await startStandalone(
    {
      ...{ fleet: join(root, 'fleet'), state, transport: mesh, clock, random: systemRandom, log, version: '0.1.0' },
      ...{ metricsPort: 0, listenMs: 0, onMetricsPortTaken: () => {} },
    },
    stop.signal,
  )
  const { world, keys, publisher } = authority.authority
  const relay = await machine('10.8.0.1', memoryFiles(), false)
  await authority.backend.enrol('relay', await relay.identity())
  let bundle: Uint8Array | undefined
  await becomes(WITHIN_MS, async () => {
    bundle = await publisher.firstBundle('relay').catch(() => undefined)
    return bundle !== undefined
  })
  await relay.import(armorBundle(bundle as Uint8Array), fingerprint(keys.keys.signing.publicKey))
  await relay.start()
  await becomes(WITHIN_MS, async () => ready() === 1)
  expect(world.store.list('Node').length).toBe(COUNT)
  for (const rack of racks) await switchOn(rack)
  rows = await Promise.all(
    racks.map(
      async (rack) => `${rack.outside},${rack.name},${await holdingCode(rack.files.sub('agent'), systemRandom)}`,
    ),
  )
})
afterAll(async () => {
  stop.abort(new Error('the test is over'))
  for (const node of nodes) await node.kill('machine')
  await authority?.stop()
  rmSync(root, { recursive: true, force: true })
})

test('one command, and all that are declared are in; one that is not stops nobody, and is taken up by the same command', async () => {
  const first = terminal()
  let begunMs = performance.now()
  const options = { from: 'racks.csv', state, trustCode: true, timeout: '10m' }
  const claiming = claim(first.io, undefined, options)
  await becomes(WITHIN_MS, async () => ready() === COUNT)
  const readyMs = performance.now() - begunMs
  expect(await claiming).toBe(1)
  expect(first.said.out.match(/ claimed$/gm)?.length).toBe(COUNT - 1)
  expect(first.said.out).toMatch(/^rack-01 .*no such Node/m)
  expect(first.said.out + first.said.err).not.toMatch(/[0-9A-Z]{4}-[0-9A-Z]{4}/)

  writeFileSync(join(root, 'fleet', 'late.yaml'), spoke(late))
  await becomes(WITHIN_MS, async () => authority.backend.objects({ kind: 'Node', name: late.name }).length === 1)
  const second = terminal()
  begunMs = performance.now()
  expect(await claim(second.io, undefined, options)).toBe(0)
  expect(second.said.out.match(/in the fleet already/g)?.length).toBe(COUNT - 1)
  expect(second.said.out).toMatch(/^rack-01 .* claimed$/m)
  const secondMs = performance.now() - begunMs
  await becomes(WITHIN_MS, async () => ready() === COUNT + 1)

  const enrolled = authority.authority.registry.list().filter(({ how }) => how === 'paired')
  expect(enrolled.length).toBe(COUNT)
  expect(new Set(enrolled.map(({ confirmedBy }) => confirmedBy))).toEqual(new Set(['trustCode']))
  const s = (ms: number) => `${(ms / 1000).toFixed(1)} s`
  process.stdout.write(
    `\n${COUNT - 1} machines from one command to Ready: ${s(readyMs)}; the same command again, one left: ${s(secondMs)}\n${second.said.out
      .split('\n')
      .slice(0, 4)
      .join('\n')}\n`,
  )
}, 1_200_000)

test('nobody compares the digits of a list: without --trust-code nobody is called', async () => {
  const { io } = terminal()
  await expect(claim(io, undefined, { from: 'racks.csv', state, timeout: '20s' })).rejects.toThrow('digits of a list')
})
