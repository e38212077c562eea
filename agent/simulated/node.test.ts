import { createHash } from 'node:crypto'
import { afterEach, expect, test } from 'vitest'
import { silentLogger } from '../../base/log.ts'
import { OP, POWER } from '../../protocol/command/ops.ts'
import { generateX25519, toBase64 } from '../../protocol/keys.ts'
import { fakeAuthority } from '../../testing/fake-authority.ts'
import { memoryFiles } from '../../testing/memory-files.ts'
import { memoryNetwork } from '../../testing/memory-network.ts'
import { seededRandom } from '../../testing/seeded-random.ts'
import { virtualClock } from '../../testing/virtual-clock.ts'
import { simulatedWireGuard } from '../drivers/wireguard/simulated.ts'
import { type SimulatedNode, simulatedNode } from './node.ts'

const HUB = '10.8.0.1'
const EDGE = '10.8.0.7'
const STRANGER = '10.8.0.9'
const ENDPOINT = 'relay.example:51820'
const SOURCE = 'https://images.example/a'
const NAME = 'cluster-totebox-x-1'

const nodes: SimulatedNode[] = []
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop()
})

/** A hub with its authority, and a spoke that has joined it with one archive. */
async function joined() {
  const clock = virtualClock()
  const random = seededRandom('node')
  const network = memoryNetwork(clock)
  const directory: Record<string, string> = { [ENDPOINT]: HUB }
  const files = memoryFiles()
  const common = { transport: network.transport(), clock, random, log: silentLogger() }
  const resolve = async (endpoint: string) => directory[endpoint]
  const hub = simulatedWireGuard({ ...common, address: HUB, behindNat: false, resolve })
  const hubKeys = generateX25519(random)
  const make = async () => {
    const node = await simulatedNode({ ...common, address: EDGE, files, resolve })
    nodes.push(node)
    return node
  }
  const node = await make()
  const identity = await node.identity()
  const authority = fakeAuthority({
    ...common,
    address: HUB,
    node: { name: 'edge', address: EDGE, role: 'spoke', identity },
  })
  await authority.start()

  const tunnel = (...peers: string[]) =>
    hub.apply({
      name: 'ppn0',
      privateKey: toBase64(hubKeys.secretKey),
      address: `${HUB}/24`,
      listenPort: 51820,
      mtu: 1420,
      peers: peers.map((publicKey) => ({ publicKey, allowedIPs: [`${EDGE}/32`], persistentKeepalive: 0 })),
    })
  await tunnel(identity.wireguardPublicKey)
  const content = (endpoint = ENDPOINT) => ({
    peers: [
      {
        nodeId: 'b'.repeat(32),
        name: 'relay',
        publicKey: toBase64(hubKeys.publicKey),
        endpoint,
        allowedIPs: [`${HUB}/32`, '10.8.0.0/24'],
        keepaliveSeconds: 25,
        hub: true,
      },
    ],
    archives: [
      {
        id: 'a'.repeat(32),
        name: NAME,
        namespace: 'default',
        slot: 1,
        fencingEpoch: 1,
        minSequence: { term: 0, sequence: 0 },
        image: {
          source: SOURCE,
          sha256: createHash('sha256').update(SOURCE).digest('hex'),
          format: 'raw' as const,
          architecture: 'amd64' as const,
        },
        floorMiB: 256,
        maxMiB: 1024,
        vcpus: 1,
        restartPolicy: 'Always' as const,
      },
    ],
  })
  await node.start()
  await node.import(authority.armored({ revision: 1, switch: 'onReceipt', content: content() }), authority.fingerprint)
  await clock.advance(5_000)
  const archive = () => authority.report()?.archives[0]
  const started = async () => {
    await authority.send(OP.POWER, { slot: 1, value: POWER.start })
    await clock.advance(15_000)
    expect(archive()?.lifecycle).toBe('Running')
  }
  return { clock, network, directory, files, make, node, identity, authority, tunnel, content, archive, started }
}

test('a node that was given its bundle by hand reaches the authority through its tunnel', async () => {
  const { node, authority } = await joined()
  expect(authority.report()).toMatchObject({ bundles: { applied: { revision: 1 } } })
  expect(authority.report()?.peers).toMatchObject([{ name: 'relay', path: 'Direct', endpoint: ENDPOINT }])
  expect(node.report()?.interface?.address).toBe(`${EDGE}/24`)
})

test('an agent that was killed leaves its VM running, and the next one finds it', async () => {
  const { clock, node, authority, archive, started } = await joined()
  await started()
  const before = archive()
  const heard = authority.frames.length
  await node.kill()
  expect(node.alive()).toBe(false)
  expect(node.report()).toBeUndefined()
  await clock.advance(600_000)
  expect(authority.frames.length).toBe(heard)
  await node.start()
  await clock.advance(15_000)
  expect(archive()).toMatchObject({ lifecycle: 'Running', restarts: 0 })
  expect(archive()!.cpuTimeMs).toBeGreaterThan(before!.cpuTimeMs + 10_000)
  expect(authority.report()?.marks).toContainEqual(expect.objectContaining({ op: OP.POWER, value: POWER.start }))
})

test('VMs outlive the whole process of the simulation', async () => {
  const { clock, make, node, archive, started } = await joined()
  await started()
  const before = archive()
  await node.stop()
  await clock.advance(600_000)
  const again = await make()
  await again.start()
  await clock.advance(15_000)
  expect(archive()).toMatchObject({ lifecycle: 'Running', restarts: 0 })
  expect(archive()!.cpuTimeMs).toBeGreaterThan(before!.cpuTimeMs + 10_000)
})

test('a power cut takes VMs and tunnel, and the node brings back what it was last told', async () => {
  const { clock, node, archive, started } = await joined()
  await started()
  await node.kill('machine')
  await clock.advance(5_000)
  await node.start()
  expect(node.report()?.archives[0]?.lifecycle).not.toBe('Running')
  await clock.advance(60_000)
  expect(archive()).toMatchObject({ lifecycle: 'Running' })
})

test('with its telemetry cut a node is not heard, obeys all the same, and is heard again afterwards', async () => {
  const { clock, node, authority } = await joined()
  node.cutTelemetry(true)
  await clock.advance(1_000)
  const heard = authority.frames.length
  await authority.send(OP.POWER, { slot: 1, value: POWER.start })
  await clock.advance(60_000)
  expect(authority.frames.length).toBe(heard)
  expect(node.report()?.archives[0]?.lifecycle).toBe('Running')
  node.cutTelemetry(false)
  await clock.advance(30_000)
  expect(authority.report()?.archives[0]?.lifecycle).toBe('Running')
})

test('an isolated node hears its authority and nobody else, until it is released', async () => {
  const { clock, network, node, authority } = await joined()
  const stranger = await network.transport().bindUdp(STRANGER, 8090, () => {})
  const refused = async () => {
    const before = node.refusedByGate().udpIn
    await stranger.send(new Uint8Array(16), EDGE, 8090)
    await clock.advance(100)
    return node.refusedByGate().udpIn - before
  }
  expect(await refused()).toBe(0)
  await authority.send(OP.ISOLATE, { value: 1 })
  await clock.advance(1_000)
  expect(authority.report()?.isolated).toBe(true)
  expect(await refused()).toBe(1)
  await authority.send(OP.ISOLATE, { value: 0 })
  await clock.advance(1_000)
  expect(authority.report()?.isolated).toBe(false)
  expect(await refused()).toBe(0)
})

test('a node whose peer entry is gone at the hub is cut off, whatever is sent to it', async () => {
  const { clock, node, authority, tunnel, identity } = await joined()
  await tunnel()
  await clock.advance(100)
  const heard = authority.frames.length
  await authority.send(OP.POWER, { slot: 1, value: POWER.start })
  await clock.advance(30_000)
  expect(node.refusedByGate()).toMatchObject({ udpIn: 1 })
  expect(authority.frames.length).toBe(heard)
  expect(node.report()?.archives[0]?.lifecycle).toBe('Stopped')
  await tunnel(identity.wireguardPublicKey)
  await clock.advance(60_000)
  expect(authority.frames.length).toBeGreaterThan(heard)
})

test('a hub endpoint where nobody stands cuts the path, and the node goes back by itself', async () => {
  const { clock, authority, content } = await joined()
  const bad = content('nobody.example:51820')
  await authority.push(authority.bundle({ revision: 2, switch: 'onReceipt', content: bad }))
  await clock.advance(5_000)
  const heard = authority.frames.length
  await clock.advance(40_000)
  expect(authority.frames.length).toBe(heard)
  await clock.advance(60_000)
  expect(authority.report()?.bundles).toMatchObject({ applied: { revision: 1 }, reverted: { revision: 2 } })
})

test('an agent killed while it starts is simply started again', async () => {
  const { clock, node, authority } = await joined()
  await node.kill()
  const begun = node.start()
  const outcome = begun.then(
    () => 'started',
    (error: Error) => error.message,
  )
  await node.kill()
  expect(await outcome).toBe('the agent was killed')
  await node.start()
  const heard = authority.frames.length
  await clock.advance(30_000)
  expect(authority.frames.length).toBeGreaterThan(heard)
})

test('a guest is scripted by the name of its archive', async () => {
  const { clock, node, archive, started } = await joined()
  await expect(node.guest('cluster-totebox-nobody-1', {})).rejects.toThrow('no archive')
  await node.guest(NAME, { crashAfterMs: 60_000 })
  await started()
  await clock.advance(90_000)
  expect(archive()?.restarts).toBeGreaterThan(0)
})

test('a node that stopped leaves no timer and no socket behind', async () => {
  const { clock, network, node, authority, tunnel } = await joined()
  await node.stop()
  await authority.stop()
  await tunnel()
  await clock.advance(10_000)
  expect(clock.pending()).toBe(0)
  await network.transport().bindUdp(EDGE, 8090, () => {})
  await network.transport().bindUdp(EDGE, 51820, () => {})
  await network.transport().listen(EDGE, 8092, () => {})
})
