// Sixteen of the kill points; all 200 are in test/system/kill-points.test.ts.
import { expect, test } from 'vitest'
import { killPoint, run, runKilled } from './kill-points.ts'

const unkilled = run(1)

test.each(Array.from({ length: 16 }, (_, i) => ({ i, ...killPoint(i) })))(
  'whoever dies, the end is the same: $victim at $atMs ms for $downMs ms',
  async ({ i }) => {
    expect(await runKilled(i)).toEqual(await unkilled)
  },
)
