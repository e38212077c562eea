import { afterEach, expect, test } from 'vitest'
import { type Fleet, startFleet } from './harness.ts'
import { archive, hub, pool, spoke } from './objects.ts'

let fleet: Fleet
afterEach(() => fleet.stop())

test('a pool that returns under Manual, long after its archives were told their targets, has them obeyed', async () => {
  const manual = pool('edge-1', { balloon: { policy: 'Manual' } })
  const wide = { memory: { floor: '256Mi', max: '2Gi', target: '384Mi' } }
  fleet = await startFleet([hub('relay'), spoke('edge-1'), pool('relay'), manual, archive(1, 'edge-1', wide)])
  await fleet.untilReady()
  const targetMiB = () => fleet.nodes.get('edge-1')?.report()?.archives[0]?.memoryTargetMiB
  expect(targetMiB()).toBe(384)

  fleet.withdraw('ResourcePool', 'edge-1')
  await fleet.until(() => targetMiB() === 2048)
  // Longer than a balloon may take.
  await fleet.clock.advance(90_000)
  fleet.declare(manual)
  await fleet.untilReady(30_000)
  expect(fleet.nodes.get('edge-1')?.report()?.archives[0]?.memoryActualMiB).toBe(384)
})
