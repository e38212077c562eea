// A process dies right after any of its writes while the fleet converges: the next one finds that fact, and nothing that
// was to follow it; the end is that of the run in which nobody died.
import { expect, test } from 'vitest'
import type { Fleet } from './harness.ts'
import { killAfterWrite } from './kill-after-write.ts'
import { run } from './kill-points.ts'

/** Of each of the changes that the scenario makes. */
const WITHIN_MS = 8_000

const unkilled = run(1)

const POINTS = (
  [
    ['authority', 0, 54],
    ['authority', 6_000, 4],
    ['authority', 10_000, 16],
    ['edge-1', 500, 16],
    ['edge-1', 10_000, 8],
  ] as const
).flatMap(([victim, atMs, most]) => Array.from({ length: most }, (_, n) => ({ victim, writes: n + 1, atMs })))

test.each(POINTS)('$victim dies after write $writes from $atMs ms on', async ({ victim, writes, atMs }) => {
  const act = (fleet: Fleet) => killAfterWrite(fleet, { victim, writes, withinMs: WITHIN_MS })
  expect(await run(1, { atMs, act })).toEqual(await unkilled)
})
