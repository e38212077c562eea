import { describe, expect, test } from 'vitest'
import { ANNOTATION } from '../../api/meta.ts'
import { OP } from '../../protocol/command/ops.ts'
import type { MiB, Sequence, Term } from '../../protocol/ids.ts'
import type { Placement } from '../ports/allocator.ts'
import { declaredFleet, KEY, mark, NAME, NODE, runningFleet, SPEC, STARTED, UID } from '../testing/archive-fleet.ts'
import { fakeDurable } from '../testing/fake-world.ts'

const POWER = (value: number, reissue = 0) => ({ op: OP.POWER, slot: 1, value, reissue })
const WEIGHT = (value: number, reissue = 0) => ({ op: OP.WEIGHT, slot: 1, value, reissue })

describe('a node whose host can give no CPU weights', () => {
  const message = 'no cgroup v2 cpu controller at /sys/fs/cgroup/unified: cgroup v1 has it'
  const refused = (value: number) => ({
    weight: 0,
    refusal: { op: OP.WEIGHT, value, reason: 'Failed' as const, message },
  })

  test('an archive of the default weight is Ready, and says that nobody has a weight there', async () => {
    const fleet = await runningFleet()
    await fleet.heard(refused(100), STARTED)
    expect(fleet.condition('Ready')).toBe('True Running')
    expect(fleet.condition('CpuWeight')).toBe('False NoCpuWeights')
    expect(fleet.wanted()).toEqual([])
    await fleet.heard({}, STARTED)
    expect(fleet.condition('CpuWeight')).toBeUndefined()
  })

  test('an archive of another weight is not, with the node’s reason, and is sent nothing more', async () => {
    const fleet = await runningFleet()
    await fleet.spec({ cpu: { weight: 300 } })
    await fleet.heard(refused(300), [mark(OP.POWER, 1), mark(OP.WEIGHT, 300, 2)])
    expect(fleet.condition('Ready')).toBe('False NoCpuWeights')
    const stalled = fleet.status()?.conditions.find((c) => c.type === 'Stalled')
    expect(stalled).toMatchObject({ status: 'True', message: `node ${NODE} can give no CPU weight: ${message}` })
    expect(fleet.wanted()).toEqual([])
  })
})

describe('from declared to running', () => {
  test('admitted when the node is heard, commanded when its bundle is applied, Ready when mark and effect are shown', async () => {
    const fleet = await declaredFleet()
    expect(fleet.condition('Ready')).toBe('Unknown NodeUnknownCapacity')
    expect(fleet.condition('Admitted')).toBe('Unknown NodeUnknownCapacity')
    expect(fleet.fake.allocator.placement(UID)).toBeUndefined()

    fleet.fake.fleet.hear(NODE)
    await fleet.settle()
    expect(fleet.condition('Admitted')).toBe('True Admitted')
    expect(fleet.status()).toMatchObject({ nodeName: NODE, slot: 1, fencingEpoch: 1 })
    expect(fleet.condition('Placed')).toBe('False BundlePending')
    expect(fleet.condition('Ready')).toBe('False BundlePending')
    expect(fleet.entry()).toMatchObject({ slot: 1, floorMiB: 256, maxMiB: 1024 })
    expect(fleet.wanted()).toEqual([])

    await fleet.applied({ lifecycle: 'Preparing', imageReady: false, weight: 0 })
    expect(fleet.condition('Placed')).toBe('True Applied')
    expect(fleet.condition('ImageReady')).toBe('False Preparing')
    expect(fleet.wanted()).toEqual([POWER(1), WEIGHT(100)])
    expect(fleet.status()?.phase).toBe('Preparing')

    await fleet.heard({ lifecycle: 'Starting', weight: 0 }, [mark(OP.POWER, 1, 1, 'begun'), mark(OP.WEIGHT, 100)])
    expect(fleet.condition('ImageReady')).toBe('True Verified')
    expect(fleet.condition('Ready')).toBe('False Starting')
    expect(fleet.wanted()).toEqual([])

    await fleet.heard({}, STARTED)
    expect(fleet.condition('Ready')).toBe('True Running')
    expect(fleet.condition('Running')).toBe('True Running')
    expect(fleet.status()).toMatchObject({ phase: 'Running', memoryActualMiB: 1024, weight: 100, restarts: 0 })
    expect(fleet.wanted()).toEqual([])
  })

  test('the finalizer is there before the first durable fact', async () => {
    const fleet = await declaredFleet()
    const { store, allocator } = fleet.fake
    expect(store.get('Archive', NAME, 'vault')?.metadata.finalizers).toEqual(['ppn.dev/teardown'])
    expect(allocator.placement(UID)).toBeUndefined()
  })

  test('a suspended one is started, then suspended, and Ready', async () => {
    const fleet = await runningFleet()
    await fleet.spec({ runState: 'Suspended' })
    expect(fleet.wanted()).toEqual([POWER(3)])
    await fleet.heard({ lifecycle: 'Suspended' }, [mark(OP.POWER, 3, 2), mark(OP.WEIGHT, 100)])
    expect(fleet.condition('Ready')).toBe('True Suspended')
    expect(fleet.condition('Running')).toBe('False Suspended')
  })

  test('an archived one is stopped and keeps its slot', async () => {
    const fleet = await runningFleet()
    await fleet.spec({ runState: 'Archived' })
    expect(fleet.wanted()).toEqual([POWER(0)])
    await fleet.heard({ lifecycle: 'Stopping' }, [mark(OP.POWER, 0, 2, 'begun'), mark(OP.WEIGHT, 100)])
    expect(fleet.wanted()).toEqual([])
    expect(fleet.condition('Ready')).toBe('False Stopping')
    await fleet.heard({ lifecycle: 'Stopped' }, [mark(OP.POWER, 0, 2), mark(OP.WEIGHT, 100)])
    expect(fleet.condition('Ready')).toBe('True Archived')
    expect(fleet.status()).toMatchObject({ phase: 'Archived', slot: 1 })
  })

  test('a new weight is sent alone', async () => {
    const fleet = await runningFleet()
    await fleet.spec({ cpu: { weight: 300 } })
    expect(fleet.wanted()).toEqual([WEIGHT(300)])
    await fleet.heard({ weight: 300 }, [mark(OP.POWER, 1), mark(OP.WEIGHT, 300, 2)])
    expect(fleet.condition('Ready')).toBe('True Running')
  })

  test('a memory target is sent under policy Manual only', async () => {
    const fleet = await runningFleet()
    const target = { memory: { ...SPEC.memory, target: '512Mi' } }
    await fleet.spec(target)
    expect(fleet.wanted()).toEqual([])
    fleet.fake.store.put('ResourcePool', NODE, { nodeName: NODE, memory: { balloon: { policy: 'Manual' } } })
    await fleet.settle()
    await fleet.applied({}, STARTED)
    expect(fleet.wanted()).toEqual([{ op: OP.BALLOON, slot: 1, value: 32, reissue: 0 }])
    expect(fleet.condition('Ready')).toBe('False Commanded')
    const shrunk = { memoryActualMiB: 512 as MiB, memoryTargetMiB: 512 as MiB }
    await fleet.heard(shrunk, [...STARTED, mark(OP.BALLOON, 32)])
    expect(fleet.condition('Ready')).toBe('True Running')
    expect(fleet.status()).toMatchObject({ memoryActualMiB: 512, memoryTargetMiB: 512 })
  })

  test('a changed definition is not in force before the node runs the bundle that holds it', async () => {
    const fleet = await runningFleet()
    await fleet.spec({ cpu: { vcpus: 2 } })
    expect(fleet.condition('Ready')).toBe('False BundlePending')
    await fleet.applied({}, STARTED)
    expect(fleet.condition('Ready')).toBe('True Running')
  })
})

describe('law 2: status is what telemetry showed', () => {
  test('a VM seen running without the mark of a start is not Ready, and the start is sent', async () => {
    const fleet = await declaredFleet()
    fleet.fake.fleet.hear(NODE)
    await fleet.settle()
    await fleet.applied({}, [])
    expect(fleet.condition('Ready')).toBe('False Commanded')
    expect(fleet.condition('Running')).toBe('Unknown Unconfirmed')
    expect(fleet.wanted()).toEqual([POWER(1), WEIGHT(100)])
  })

  test('a mark of an earlier term counts', async () => {
    const fleet = await runningFleet()
    await fleet.heard(
      {},
      STARTED.map((m) => ({ ...m, term: 0 as Term, sequence: 9 as Sequence })),
    )
    expect(fleet.condition('Ready')).toBe('True Running')
  })

  test('a mark below minSequence is void', async () => {
    const durable = fakeDurable()
    const fleet = await runningFleet(durable)
    const placement = fleet.fake.allocator.placement(UID) as Placement
    durable.placements.set(UID, {
      ...placement,
      minSequence: { term: 1 as Term, sequence: 5 as Sequence },
    })
    fleet.enqueue('node', `Node/${NODE}`, 'moved')
    await fleet.settle()
    await fleet.applied({}, STARTED)
    expect(fleet.wanted()).toEqual([POWER(1), WEIGHT(100)])
    expect(fleet.condition('Ready')).toBe('False Commanded')
  })

  test('what was Ready becomes Unknown when the node falls silent, its figures stay, and nothing is sent', async () => {
    const fleet = await runningFleet()
    await fleet.spec({ cpu: { weight: 300 } })
    fleet.fake.fleet.set({ ...fleet.fake.fleet.view(NODE), liveness: 'Stale' })
    await fleet.settle()
    for (const type of ['Ready', 'Placed', 'ImageReady', 'Running'])
      expect(fleet.condition(type)).toBe('Unknown Silent')
    expect(fleet.status()).toMatchObject({ phase: 'Unknown', memoryActualMiB: 1024, weight: 100 })
    expect(fleet.wanted()).toEqual([])
  })

  test('after a restart of the authority everything is Unknown until heard, and then Ready without a command', async () => {
    const durable = fakeDurable()
    await runningFleet(durable)
    const again = await declaredFleet(durable)
    expect(again.condition('Ready')).toBe('Unknown Unheard')
    expect(again.wanted()).toEqual([])
    await again.applied({}, STARTED)
    expect(again.condition('Ready')).toBe('True Running')
    expect(again.wanted()).toEqual([])
  })

  test('running but not listed by the applied bundle is neither Running nor commanded', async () => {
    const fleet = await runningFleet()
    await fleet.heard({ unlisted: true }, [])
    expect(fleet.condition('Running')).toBe('Unknown Unlisted')
    expect(fleet.wanted()).toEqual([])
  })
})

describe('law 6: a converged fleet costs nothing', () => {
  test('another frame that shows the same changes no status, wants no command, publishes no bundle', async () => {
    const fleet = await runningFleet()
    const { store, bundles } = fleet.fake
    const before = store.get('Archive', NAME, 'vault')?.metadata.resourceVersion
    const published = bundles.published.length
    await fleet.fake.clock.advance(10_000)
    await fleet.heard({ cpuTimeMs: 99 }, STARTED)
    expect(store.get('Archive', NAME, 'vault')?.metadata.resourceVersion).toBe(before)
    expect(bundles.published.length).toBe(published)
    expect(fleet.wanted()).toEqual([])
  })

  test('memory in status moves by 64 MiB or 5 %, whichever is more, and shows exactly where it comes to rest', async () => {
    const fleet = await runningFleet()
    const moving = (actual: number) => ({ memoryActualMiB: actual as MiB, memoryTargetMiB: 900 as MiB })
    await fleet.heard(moving(980), STARTED)
    expect(fleet.status()?.memoryActualMiB).toBe(1024)
    await fleet.heard(moving(960), STARTED)
    expect(fleet.status()?.memoryActualMiB).toBe(960)
    await fleet.heard(moving(900), STARTED)
    expect(fleet.status()).toMatchObject({ memoryActualMiB: 900, memoryTargetMiB: 900 })
  })

  test('a new peer on the node unsettles no archive of it', async () => {
    const fleet = await runningFleet()
    fleet.fake.node('hub-3', { role: 'hub', site: 'cloud', endpoint: 'hub3:51820' })
    await fleet.settle()
    expect(fleet.fake.bundles.state(NODE).stage).toBe('Pending')
    expect(fleet.condition('Ready')).toBe('True Running')
  })
})

describe('effects under way', () => {
  test('the opposite command is sent while the first is unconfirmed, although the effect fits', async () => {
    const fleet = await runningFleet()
    fleet.fake.commands.sent(NODE, OP.POWER, 1, 0)
    await fleet.heard({}, STARTED)
    expect(fleet.wanted()).toEqual([POWER(1)])
    fleet.fake.commands.sent(NODE, OP.POWER, 1, 1)
    await fleet.heard({}, STARTED)
    expect(fleet.wanted()).toEqual([])
  })

  test('marked without any outcome, a fresh sequence is asked for after 60 s', async () => {
    const fleet = await runningFleet()
    await fleet.spec({ runState: 'Archived' })
    const deaf = [mark(OP.POWER, 0, 2), mark(OP.WEIGHT, 100)]
    await fleet.heard({}, deaf)
    expect(fleet.wanted()).toEqual([POWER(0)])
    await fleet.fake.clock.advance(60_000)
    fleet.elapse()
    await fleet.settle()
    expect(fleet.wanted()).toEqual([POWER(0, 1)])
  })

  test('a final refusal is Stalled with the node’s word and not reissued until the spec changes', async () => {
    const fleet = await runningFleet()
    await fleet.spec({ runState: 'Archived' })
    const refusal = { op: OP.POWER, value: 0, reason: 'Stuck' as const, message: 'pid 7 is left' }
    const marks = [mark(OP.POWER, 0, 2), mark(OP.WEIGHT, 100)]
    await fleet.heard({ refusal }, marks)
    await fleet.fake.clock.advance(600_000)
    await fleet.heard({ refusal }, marks)
    expect(fleet.wanted()).toEqual([])
    expect(fleet.condition('Stalled')).toBe('True Stuck')
    await fleet.spec({ runState: 'Archived', restartPolicy: 'Never' })
    await fleet.applied({ refusal }, marks)
    expect(fleet.wanted()).toEqual([POWER(0, 1)])
  })

  test('an error code of the node is Stalled with its message', async () => {
    const fleet = await declaredFleet()
    fleet.fake.fleet.hear(NODE)
    await fleet.settle()
    const error = { errorCode: 'ImageDigestMismatch', errorMessage: 'got bbbb' }
    await fleet.applied({ lifecycle: 'Absent', imageReady: false, ...error }, STARTED)
    expect(fleet.condition('Stalled')).toBe('True Failed')
    expect(fleet.condition('ImageReady')).toBe('False ImageDigestMismatch')
    const stalled = fleet.status()?.conditions.find((c) => c.type === 'Stalled')
    expect(stalled?.message).toContain('ImageDigestMismatch: got bbbb')
    expect(fleet.status()?.phase).toBe('Failed')
    expect(fleet.wanted()).toEqual([])
  })
})

describe('admission, through the ports', () => {
  const RIVAL = 'gateway-orchestration-rival-1'

  test('a newcomer that does not fit is refused with the numbers, and each holder gets one warning', async () => {
    const fleet = await runningFleet()
    const { store, recorded } = fleet.fake
    store.put('Archive', RIVAL, { ...SPEC, memory: { floor: '8Gi', max: '8Gi' } }, { namespace: 'vault' })
    await fleet.settle()
    const rival = store.get('Archive', RIVAL, 'vault')
    expect(rival?.status?.conditions.find((c) => c.type === 'Stalled')).toMatchObject({
      status: 'True',
      reason: 'MemoryFloor',
      message: expect.stringContaining('edge-2 has 7680 MiB (8192 less 512 reserved)'),
    })
    expect(recorded.filter((e) => e.reason === 'NewcomerRefused')).toEqual([
      expect.objectContaining({ object: KEY, type: 'Warning' }),
    ])
    expect(fleet.condition('Ready')).toBe('True Running')
    await fleet.heard({}, STARTED)
    expect(recorded.filter((e) => e.reason === 'NewcomerRefused')).toHaveLength(1)
  })

  test('it is admitted when room comes free', async () => {
    const fleet = await runningFleet()
    const { store, allocator } = fleet.fake
    store.put('Archive', RIVAL, { ...SPEC, memory: { floor: '7Gi', max: '7Gi' } }, { namespace: 'vault' })
    await fleet.settle()
    expect(allocator.placement(`uid-${RIVAL}`)).toBeUndefined()
    await fleet.remove()
    await fleet.applied('gone')
    expect(allocator.placement(`uid-${RIVAL}`)).toMatchObject({ floorMiB: 7168 })
  })

  test('a raise that does not fit keeps the accepted figures in the bundle and disturbs nothing', async () => {
    const fleet = await runningFleet()
    await fleet.spec({ memory: { floor: '512Mi', max: '16Gi' } })
    expect(fleet.condition('Stalled')).toBe('True MemoryOvercommit')
    expect(fleet.condition('Admitted')).toBe('True MemoryOvercommit')
    expect(fleet.entry()).toMatchObject({ floorMiB: 256, maxMiB: 1024 })
    expect(fleet.wanted()).toEqual([])
    await fleet.spec({ memory: { floor: '512Mi', max: '2Gi' } })
    expect(fleet.entry()).toMatchObject({ floorMiB: 512, maxMiB: 2048 })
  })

  test('what is admitted stays, Overcommitted, when the node comes back smaller', async () => {
    const fleet = await runningFleet()
    fleet.fake.fleet.hear(NODE, { capacity: { memoryMiB: 1024 as MiB, cpus: 1 } })
    await fleet.settle()
    expect(fleet.condition('Admitted')).toBe('True Overcommitted')
    expect(fleet.condition('Ready')).toBe('True Running')
    expect(fleet.entry()).toMatchObject({ floorMiB: 256, maxMiB: 1024 })
  })

  test('a VM that telemetry shows and no record knows keeps its memory from newcomers', async () => {
    const fleet = await declaredFleet()
    const stranger = { id: 'f'.repeat(32), name: 'x', namespace: 'y', unlisted: true, memoryActualMiB: 7000 as MiB }
    await fleet.heard(stranger)
    expect(fleet.condition('Stalled')).toBe('True MemoryOvercommit')
    await fleet.heard({ ...stranger, lifecycle: 'Stopped' })
    expect(fleet.condition('Admitted')).toBe('True Admitted')
  })
})

describe('law 7, as far as the authority: an archive never leaves its node by a changed pin alone', () => {
  test('relocation Never: it stays, still commanded, Stalled', async () => {
    const fleet = await runningFleet()
    const grown = { floor: '512Mi', max: '1Gi' }
    await fleet.spec({ nodeName: 'hub-1', relocation: 'Never', cpu: { weight: 300 }, memory: grown })
    expect(fleet.condition('Stalled')).toBe('True RelocationNever')
    expect(fleet.fake.allocator.placement(UID)).toMatchObject({ node: NODE, slot: 1, fencingEpoch: 1, floorMiB: 256 })
    expect(fleet.entry()).toBeDefined()
    expect(fleet.fake.bundles.state('hub-1').content?.archives.map((a) => a.name)).not.toContain(NAME)
    expect(fleet.wanted()).toEqual([WEIGHT(300)])
  })

  test('relocation OnPinChange: it is stopped where it is, and then given up there; the other node hears nothing', async () => {
    const fleet = await runningFleet()
    await fleet.spec({ nodeName: 'hub-1', relocation: 'OnPinChange' })
    expect(fleet.condition('Reconciling')).toBe('True MoveStopping')
    expect(fleet.wanted()).toEqual([POWER(0)])
    expect(fleet.entry()).not.toHaveProperty('remove')
    fleet.fake.commands.sent(NODE, OP.POWER, 1, 0)
    await fleet.heard({ lifecycle: 'Stopped' }, [mark(OP.POWER, 0, 2), mark(OP.WEIGHT, 100)])
    expect(fleet.condition('Reconciling')).toBe('True MoveReleasing')
    expect(fleet.wanted()).toEqual([])
    expect(fleet.entry()).toMatchObject({ remove: 'Retain', fencingEpoch: 1 })
    expect(fleet.fake.allocator.placement(UID)).toMatchObject({ node: NODE, fencingEpoch: 1 })
    expect(fleet.fake.bundles.state('hub-1').content?.archives.map((a) => a.name)).not.toContain(NAME)
  })
})

test('a paused archive is left alone: Unknown, nothing sent, nothing placed', async () => {
  const fleet = await runningFleet()
  await fleet.spec({ runState: 'Archived' }, { [ANNOTATION.paused]: 'yes' })
  expect(fleet.condition('Ready')).toBe('Unknown Paused')
  expect(fleet.wanted()).toEqual([])
  await fleet.spec({ runState: 'Archived' }, {})
  expect(fleet.wanted()).toEqual([POWER(0)])
})

test('law 13: one event a refusal, none while nothing changes', async () => {
  const fleet = await runningFleet()
  await fleet.spec({ nodeName: 'hub-1' })
  await fleet.heard({}, STARTED)
  await fleet.heard({}, STARTED)
  const told = fleet.fake.recorded.filter((e) => e.object === KEY && e.type === 'Warning')
  expect(told.filter((e) => e.reason === 'RelocationNever')).toHaveLength(1)
})
