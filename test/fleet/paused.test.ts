import { afterEach, expect, test } from 'vitest'
import { type Fleet, startFleet } from './harness.ts'
import { office, pool } from './objects.ts'

let fleet: Fleet
afterEach(() => fleet.stop())

test('a paused pool that is edited stays as it was, over a restart of the authority as well', async () => {
  fleet = await startFleet([
    ...office().filter((o) => o.kind !== 'ResourcePool'),
    pool('edge-1', { overcommitPercent: 150 }),
  ])
  await fleet.untilReady()
  await fleet.clock.advance(5_000)
  const inForce = () => fleet.authority.publisher.state('edge-1').content?.pool.overcommitPercent
  expect(inForce()).toBe(150)
  const edited = pool('edge-1', { overcommitPercent: 200 })
  fleet.declare({ ...edited, metadata: { ...edited.metadata, annotations: { 'ppn.dev/paused': 'true' } } })
  await fleet.clock.advance(10_000)
  expect(inForce()).toBe(150)
  const pushes = fleet.network.segments.length
  await fleet.restartAuthority()
  await fleet.clock.advance(60_000)
  expect(inForce()).toBe(150)
  expect(fleet.network.segments.slice(pushes).filter((s) => s.port === 8092)).toEqual([])
  fleet.declare(edited)
  await fleet.untilReady()
  expect(inForce()).toBe(200)
})
