// An archive moves from one node to another (law 7): stopped, proved stopped, copied, proved, started. Whoever dies on
// the way, it runs on one node at a time, and in the end on exactly one.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Fleet, startFleet } from './harness.ts'
import { archive, hub, spoke } from './objects.ts'

const NAME = 'cluster-totebox-test-1'
const ALIVE = ['Starting', 'Running', 'Suspended', 'Stopping']
const MOVABLE = { relocation: 'OnPinChange' }

let fleet: Fleet
let watching: ReturnType<typeof watchLaw7>

/** Nodes on which a machine of the archive exists; an agent that is dead says nothing, its machine runs on. */
function runsOn(name = NAME): string[] {
  const on = [...fleet.nodes].filter(([, node]) =>
    node.report()?.archives.some((a) => a.name === name && ALIVE.includes(a.lifecycle)),
  )
  return on.map(([node]) => node)
}

/** Throws at the first instant at which two nodes show it running; looks each 100 ms. */
function watchLaw7(): { stop(): void; worst(): number } {
  let worst = 0
  let stopped = false
  const look = () => {
    worst = Math.max(worst, runsOn().length)
    if (!stopped) fleet.clock.after(100, look)
  }
  look()
  return {
    stop: () => {
      stopped = true
    },
    worst: () => worst,
  }
}

const ready = () => fleet.condition('Archive', NAME)
const object = () => fleet.store.get('Archive', NAME, 'default')
const placement = () => fleet.authority.allocator.placement(object()?.metadata.uid ?? '')
const shownOn = (node: string) =>
  fleet.nodes
    .get(node)
    ?.report()
    ?.archives.find((a) => a.name === NAME)
const phase = () =>
  (fleet.store.records.get(`move/${object()?.metadata.uid}`)?.value as { phase: string } | undefined)?.phase
const settled = () => phase() === undefined && ready()?.status === 'True'

beforeEach(async () => {
  fleet = await startFleet([hub('relay'), spoke('edge-1'), spoke('edge-2'), archive(1, 'edge-1', MOVABLE)])
  await fleet.untilReady()
  watching = watchLaw7()
})
afterEach(async () => {
  watching.stop()
  await fleet.stop()
  // Whatever the test was about.
  expect(watching.worst()).toBe(1)
})

describe('law 7', () => {
  test('a changed pin moves it, and at no instant do two nodes show it running', async () => {
    fleet.declare(archive(1, 'edge-2', MOVABLE))
    await fleet.until(() => settled() && placement()?.node === 'edge-2')
    expect(runsOn()).toEqual(['edge-2'])
    expect(placement()).toMatchObject({ node: 'edge-2', fencingEpoch: 2 })
    expect(shownOn('edge-2')).toMatchObject({ fencingEpoch: 2, lifecycle: 'Running' })
    // No second identity to be adopted stays behind.
    await fleet.until(() => shownOn('edge-1') === undefined)
    expect(fleet.nodes.get('edge-1')?.report()?.retainedDisks).toEqual([])
    expect(fleet.authority.allocator.releasedSlots('edge-1')).toEqual([])
    await fleet.untilReady()
  })
})

describe('what holds a move up', () => {
  test('an old node that is not heard is waited for, and the archive is started nowhere else', async () => {
    fleet.nodes.get('edge-1')?.cutTelemetry(true)
    fleet.network.rules.add({ to: '10.8.0.2', protocol: 'udp', cut: true })
    await fleet.clock.advance(70_000)
    fleet.declare(archive(1, 'edge-2', MOVABLE))
    await fleet.clock.advance(10 * 60_000)
    expect(ready()?.status).toBe('Unknown')
    expect(runsOn()).toEqual(['edge-1'])
    expect(shownOn('edge-2')).toBeUndefined()
  })

  test('one that falls silent once it has given the archive up is waited for as well', async () => {
    await fleet.untilReady()
    fleet.declare(archive(1, 'edge-2', MOVABLE))
    await fleet.until(() => phase() === 'releasing')
    await fleet.nodes.get('edge-1')?.kill('agent')
    await fleet.clock.advance(10 * 60_000)
    expect(runsOn()).toEqual([])
    await fleet.nodes.get('edge-1')?.start()
    await fleet.until(() => settled() && placement()?.node === 'edge-2', 300_000)
    expect(runsOn()).toEqual(['edge-2'])
  })

  test('a new node without room for the disk: Stalled, with the reason, and on as soon as there is room', async () => {
    fleet.nodes.get('edge-2')?.setDiskCapacity(0)
    fleet.declare(archive(1, 'edge-2', MOVABLE))
    await fleet.until(() => fleet.condition('Archive', NAME, 'Stalled')?.status === 'True')
    const stalled = object()?.status?.conditions.find((c) => c.type === 'Stalled')
    expect(stalled).toMatchObject({ reason: 'Failed', message: expect.stringContaining('DiskFull') })
    fleet.nodes.get('edge-2')?.setDiskCapacity(10_000)
    await fleet.until(() => settled() && placement()?.node === 'edge-2')
  })

  test('a new node without room for its memory is refused before anything is stopped', async () => {
    fleet.declare(archive(2, 'edge-2', { memory: { floor: '13Gi', max: '13Gi' } }))
    await fleet.untilReady()
    const big = { ...MOVABLE, memory: { floor: '4Gi', max: '4Gi' } }
    fleet.declare(archive(1, 'edge-1', big))
    await fleet.untilReady()
    fleet.declare(archive(1, 'edge-2', big))
    await fleet.clock.advance(60_000)
    expect(fleet.condition('Archive', NAME, 'Stalled')).toEqual({ status: 'True', reason: 'MoveRefused' })
    expect(runsOn()).toEqual(['edge-1'])
  })
})

test('several archives move at once between the same two nodes', async () => {
  const all = (node: string) => [1, 2, 3].map((n) => archive(n, node, MOVABLE))
  fleet.declare(...all('edge-1'))
  await fleet.untilReady()
  fleet.declare(...all('edge-2'))
  await fleet.until(() => fleet.store.records.list('move/').length > 0)
  await fleet.until(() => fleet.store.records.list('move/').length === 0)
  await fleet.untilReady()
  for (const n of [1, 2, 3]) expect(runsOn(`cluster-totebox-test-${n}`)).toEqual(['edge-2'])
})

test.each(['Suspended', 'Archived'])('an archive that is %s moves as well, and is so again there', async (runState) => {
  fleet.declare(archive(1, 'edge-1', { ...MOVABLE, runState }))
  await fleet.untilReady()
  fleet.declare(archive(1, 'edge-2', { ...MOVABLE, runState }))
  await fleet.until(() => settled() && placement()?.node === 'edge-2')
  expect(shownOn('edge-2')?.lifecycle).toBe(runState === 'Archived' ? 'Stopped' : runState)
  expect(shownOn('edge-2')?.fencingEpoch).toBe(2)
})

test('a disk retained by a deletion is adopted again on its node, under a higher epoch', async () => {
  fleet.declare(archive(2, 'edge-1'))
  await fleet.untilReady()
  fleet.store.withdraw('Archive', NAME, 'default')
  await fleet.until(() => object() === undefined)
  const disk = fleet.nodes.get('edge-1')?.report()?.retainedDisks[0]?.id
  const first = archive(1, 'edge-1').spec as { image: object }
  fleet.declare(archive(3, 'edge-1', { image: first.image, adoptDisk: disk }))
  await fleet.untilReady()
  expect(runsOn('cluster-totebox-test-3')).toEqual(['edge-1'])
})

describe('a move that is called off', () => {
  test.each(['stopping', 'releasing', 'copying'])('while %s: it runs on the old node again', async (when) => {
    // No room, so that it stays in `copying` for as long as the test likes.
    fleet.nodes.get('edge-2')?.setDiskCapacity(0)
    fleet.declare(archive(1, 'edge-2', MOVABLE))
    await untilPhase(when)
    fleet.declare(archive(1, 'edge-1', MOVABLE))
    await fleet.until(settled)
    expect(runsOn()).toEqual(['edge-1'])
    expect(placement()?.node).toBe('edge-1')
    expect(fleet.nodes.get('edge-1')?.report()?.retainedDisks).toEqual([])
    expect(fleet.nodes.get('edge-2')?.report()?.retainedDisks).toEqual([])
    await fleet.clock.advance(30_000)
    expect(fleet.authority.allocator.releasedSlots('edge-2')).toEqual([])
    expect(fleet.authority.allocator.releasedSlots('edge-1')).toEqual([])
    // And it can go after all.
    fleet.nodes.get('edge-2')?.setDiskCapacity(10_000)
    fleet.declare(archive(1, 'edge-2', MOVABLE))
    await fleet.until(() => settled() && placement()?.node === 'edge-2')
    expect(runsOn()).toEqual(['edge-2'])
  })

  test('once the disk has landed it goes through, and then comes back', async () => {
    fleet.declare(archive(1, 'edge-2', MOVABLE))
    await untilPhase('landed')
    fleet.declare(archive(1, 'edge-1', MOVABLE))
    await fleet.until(() => settled() && placement()?.node === 'edge-1', 300_000)
    expect(runsOn()).toEqual(['edge-1'])
    expect(placement()?.fencingEpoch).toBe(3)
  })

  test('deleted on the way, it is deleted once it is one archive again, and its disk is kept once', async () => {
    fleet.declare(archive(2, 'edge-1'))
    fleet.nodes.get('edge-2')?.setDiskCapacity(0)
    fleet.declare(archive(1, 'edge-2', MOVABLE))
    await untilPhase('copying')
    fleet.store.withdraw('Archive', NAME, 'default')
    await fleet.until(() => object() === undefined)
    expect(runsOn()).toEqual([])
    expect(fleet.nodes.get('edge-1')?.report()?.retainedDisks).toHaveLength(1)
    expect(fleet.nodes.get('edge-2')?.report()?.retainedDisks).toEqual([])
  })
})

/** Looks every 20 ms, for some phases are short. */
async function untilPhase(wanted: string): Promise<void> {
  for (let i = 0; i < 6_000 && phase() !== wanted; i++) await fleet.clock.advance(20)
  expect(phase()).toBe(wanted)
}
