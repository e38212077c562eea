// A process dies right after any of its writes while the fleet converges: the next one finds that fact, and nothing that
// was to follow it; the end is that of the run in which nobody died.
import { expect, test } from 'vitest'
import { run } from './kill-points.ts'

const LOOK_MS = 100
const WITHIN_MS = 8_000
const DOWN_MS = 300

const unkilled = run(1)

async function killedAfter(victim: string, writes: number, atMs: number) {
  return run(1, {
    atMs,
    async act(fleet) {
      const authority = victim === 'authority'
      const kill = (after: number) =>
        authority ? fleet.killAuthorityAfter(after) : fleet.killAgentAfter(victim, after)
      kill(writes)
      for (let passed = 0; fleet.alive(victim) && passed < WITHIN_MS; passed += LOOK_MS)
        await fleet.clock.advance(LOOK_MS)
      // It writes no more than that.
      if (fleet.alive(victim)) return kill(Number.POSITIVE_INFINITY)
      await fleet.clock.advance(DOWN_MS)
      await (authority ? fleet.startAuthority() : fleet.nodes.get(victim)?.start())
    },
  })
}

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
  expect(await killedAfter(victim, writes, atMs)).toEqual(await unkilled)
})
