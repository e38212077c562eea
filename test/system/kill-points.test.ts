// 200 seeded moments at which the authority or an agent dies while the fleet converges: each effect once, marks only
// rise, and the end is that of the run in which nobody died.
import { expect, test } from 'vitest'
import { killPoint, run, runKilled } from '../fleet/kill-points.ts'

const KILL_POINTS = 200

const unkilled = run(1)

test.each(Array.from({ length: KILL_POINTS }, (_, i) => ({ i, ...killPoint(i) })))(
  'kill point $i: $victim at $atMs ms for $downMs ms',
  async ({ i }) => {
    expect(await runKilled(i)).toEqual(await unkilled)
  },
)
