// A person takes a node off the mesh: for good (a stolen machine), or in good order (decisions 0017 and 0020).
import { afterEach, describe, expect, test } from 'vitest'
import { forgetMesh } from '../../agent/main/leave.ts'
import { BRAKE_FILE } from '../../authority/brake.ts'
import { armorBundle } from '../../protocol/bundle/armor.ts'
import { fingerprint } from '../../protocol/keys.ts'
import type { ArchiveReport } from '../../protocol/telemetry/report.ts'
import { memoryFiles } from '../../testing/memory-files.ts'
import { type Fleet, startFleet } from './harness.ts'
import { hub, office, spoke } from './objects.ts'

let fleet: Fleet
afterEach(() => fleet.stop())

const commands = () => fleet.authority.serving.downlink()!.commands
const running = (node: string) =>
  fleet.nodes
    .get(node)
    ?.report()
    ?.archives.map(({ id, lifecycle, fencingEpoch }: ArchiveReport) => ({ id, lifecycle, fencingEpoch }))
const nodeIdOf = (name: string) => fleet.authority.registry.of(name)!.nodeId
const peersOf = (name: string) =>
  fleet.nodes
    .get(name)
    ?.report()
    ?.peers.map(({ nodeId }) => nodeId)
const lines = () =>
  Buffer.from(fleet.files.get('nodes.jsonl') ?? [])
    .toString()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).entry as { type: string; node: string; reason?: string })

describe('a stolen machine', () => {
  test('goes for good: the hub drops it, its keys are refused under every name, its workloads are not touched', async () => {
    fleet = await startFleet(office(), { joining: ['another'] })
    await fleet.untilReady()
    const [nodeId, machines] = [nodeIdOf('edge-1'), running('edge-1')]
    const identity = fleet.authority.registry.of('edge-1')!.identity
    await commands().sever('edge-1')
    await fleet.until(() => fleet.condition('Node', 'edge-1')?.reason === 'Severed', 30_000)
    expect(fleet.condition('Node', 'edge-1', 'Connected')).toEqual({ status: 'False', reason: 'Severed' })
    expect(peersOf('relay')).not.toContain(nodeId)
    expect(fleet.condition('Node', 'edge-2')?.status).toBe('True')
    expect(lines().at(-1)).toMatchObject({ type: 'retire', node: 'edge-1', reason: 'severed' })
    // Law 9: neither disk nor identity of an archive changes.
    expect(running('edge-1')).toEqual(machines)

    await fleet.restartAuthority()
    await fleet.until(() => fleet.condition('Node', 'edge-1')?.reason === 'Severed', 60_000)
    fleet.declare(spoke('another', { identity }))
    await fleet.until(() => fleet.condition('Node', 'another', 'Enrolled')?.reason === 'KeySevered', 30_000)
    expect(fleet.authority.registry.of('another')).toBeUndefined()
    await expect(fleet.authority.publisher.firstBundle('edge-1')).rejects.toMatchObject({ code: 'NothingWanted' })
  })

  test('through the brake: the packets and the registry’s line at once, the hub’s bundle when it is released', async () => {
    fleet = await startFleet(office())
    await fleet.untilReady()
    const nodeId = nodeIdOf('edge-2')
    fleet.files.set(BRAKE_FILE, Buffer.from('for this test\n'))
    await fleet.clock.advance(5_000)
    await expect(commands().sever('edge-2')).rejects.toMatchObject({ code: 'CommandHeld' })
    await commands().severThroughBrake('edge-2')
    await fleet.clock.advance(30_000)
    expect(lines().at(-1)).toMatchObject({ type: 'retire', node: 'edge-2', reason: 'severed' })
    expect(fleet.condition('Node', 'edge-2')?.reason).toBe('Severing')
    expect(peersOf('relay')).toContain(nodeId)
    fleet.files.delete(BRAKE_FILE)
    await fleet.until(() => fleet.condition('Node', 'edge-2')?.reason === 'Severed', 60_000)
    expect(peersOf('relay')).not.toContain(nodeId)
  })

  test('an authority that dies right after the first packet finishes it when it is back', async () => {
    fleet = await startFleet(office())
    await fleet.untilReady()
    await commands().sever('edge-2')
    fleet.killAuthority()
    await fleet.startAuthority()
    await fleet.until(() => fleet.condition('Node', 'edge-2')?.reason === 'Severed', 60_000)
    expect(lines().at(-1)).toMatchObject({ type: 'retire', node: 'edge-2', reason: 'severed' })
  })

  test('its Node goes when its file goes, although the machine is never heard, and the address is quarantined', async () => {
    fleet = await startFleet([hub('relay'), spoke('edge-1'), spoke('edge-2')])
    await fleet.untilReady()
    const address = fleet.object('Node', 'edge-2')?.status as { address: string }
    await fleet.nodes.get('edge-2')?.kill('machine')
    await commands().sever('edge-2')
    await fleet.until(() => fleet.condition('Node', 'edge-2')?.reason === 'Severed', 30_000)
    fleet.withdraw('Node', 'edge-2')
    await fleet.until(() => fleet.object('Node', 'edge-2') === undefined, 60_000)
    expect(fleet.store.records.get(`address/${address.address}`)?.value).toMatchObject({ state: 'Quarantined' })
    expect(fleet.store.records.list('severed/')).toEqual([])
  })

  test('the hub that carries the authority is not severed', async () => {
    fleet = await startFleet(office())
    await fleet.untilReady()
    await expect(commands().sever('relay')).rejects.toMatchObject({ code: 'SeverRefused' })
  })
})

describe('leaving in good order', () => {
  test('the machine leaves the mesh, its workloads go on, and its file alone does not bring it back', async () => {
    fleet = await startFleet(office())
    await fleet.untilReady()
    const identity = fleet.authority.registry.of('edge-1')!.identity
    const [nodeId, machines] = [nodeIdOf('edge-1'), running('edge-1')]
    await fleet.authority.leave('edge-1')
    await fleet.until(() => fleet.condition('Node', 'edge-1')?.reason === 'Left', 30_000)
    expect(lines().at(-1)).toMatchObject({ type: 'retire', node: 'edge-1', reason: 'left' })
    expect(peersOf('relay')).not.toContain(nodeId)
    expect(running('edge-1')).toEqual(machines)
    expect(fleet.authority.world.allocator.addressOf(fleet.store.get('Node', 'edge-1')!.metadata.uid)).toBeDefined()

    fleet.declare(spoke('edge-1', { identity }))
    await fleet.restartAuthority()
    await fleet.clock.advance(60_000)
    expect(fleet.condition('Node', 'edge-1')?.reason).toBe('Left')
    expect(fleet.authority.registry.of('edge-1')).toBeUndefined()
  })

  test('it joins again under the same name, with its address and its archives where they were', async () => {
    fleet = await startFleet(office())
    await fleet.untilReady()
    const [before, machines] = [fleet.authority.registry.of('edge-1')!, running('edge-1')]
    const address = fleet.authority.world.allocator.addressOf(fleet.store.get('Node', 'edge-1')!.metadata.uid)
    await fleet.authority.leave('edge-1')
    await fleet.until(() => fleet.condition('Node', 'edge-1')?.reason === 'Left', 30_000)

    // `ppn agent --leave --forget`, then a ceremony.
    const machine = fleet.nodes.get('edge-1')!
    await machine.kill()
    await forgetMesh(memoryFiles(fleet.nodeFiles('edge-1')).sub('agent'))
    const identity = await machine.identity()
    expect(identity).not.toEqual(before.identity)
    await fleet.authority.registry.enrol('edge-1', before.nodeId, identity, 'paired')
    await fleet.clock.advance(2_000)
    const bundle = await fleet.authority.publisher.firstBundle('edge-1')
    await machine.import(armorBundle(bundle), fingerprint(fleet.authority.keys.keys.signing.publicKey))
    await machine.start()
    const seen = new Set<string | undefined>()
    await fleet.until(() => {
      seen.add(running('edge-1')?.find(({ id }) => id === machines?.[0]?.id)?.lifecycle)
      return fleet.condition('Node', 'edge-1')?.status === 'True'
    }, 300_000)
    await fleet.untilReady(300_000)
    // The machine that ran was never stopped on the way.
    expect([...seen].filter((lifecycle) => /^St/.test(lifecycle ?? ''))).toEqual([])
    expect(fleet.authority.world.allocator.addressOf(fleet.store.get('Node', 'edge-1')!.metadata.uid)).toBe(address)
    expect(running('edge-1')).toEqual(machines)
    expect(fleet.store.records.list('severed/')).toEqual([])
  })

  test('under the brake nobody leaves, and the hub that carries the authority never does', async () => {
    fleet = await startFleet(office())
    await fleet.untilReady()
    await expect(fleet.authority.leave('relay')).rejects.toMatchObject({ code: 'SeverRefused' })
    fleet.files.set(BRAKE_FILE, Buffer.from('for this test\n'))
    await fleet.clock.advance(5_000)
    await expect(fleet.authority.leave('edge-1')).rejects.toMatchObject({ code: 'CommandHeld' })
    await fleet.clock.advance(5_000)
    expect(fleet.authority.registry.of('edge-1')).toBeDefined()
    expect(fleet.store.records.list('severed/')).toEqual([])
  })
})

test('a node that is only silent is not called Severed', async () => {
  fleet = await startFleet(office())
  await fleet.untilReady()
  await fleet.nodes.get('edge-2')?.kill('machine')
  await fleet.clock.advance(600_000)
  expect(fleet.condition('Node', 'edge-2')).toEqual({ status: 'Unknown', reason: 'Silent' })
})
