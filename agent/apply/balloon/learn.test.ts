import { expect, test } from 'vitest'
import { learn, NOTHING_LEARNT as NOTHING } from './learn.ts'
import type { BalloonVm } from './plan.ts'

const vm = (over: Partial<BalloonVm>): BalloonVm => ({
  id: 'a',
  floorMiB: 256,
  maxMiB: 1024,
  weight: 100,
  actualMiB: 512,
  targetMiB: 512,
  balloon: 'Converged',
  ...over,
})
const drifted = vm({ actualMiB: 700, balloon: 'Drifted' })

test('what a guest took back unasked it needs, in whole units, until it shows for a minute that it gets by with less', () => {
  let learnt = learn(NOTHING, [drifted], 0)
  expect(learnt.needs.get('a')?.needMiB).toBe(704)
  // 704 MiB with 500 of them available: it uses 204, and a tenth of its maximum is left to it.
  const easy = vm({ actualMiB: 704, targetMiB: 704, availableMiB: 500 })
  learnt = learn(learnt, [easy], 1_000)
  learnt = learn(learnt, [easy], 60_000)
  expect(learnt.needs.get('a')?.needMiB).toBe(704)
  learnt = learn(learnt, [easy], 61_000)
  expect(learnt.needs.get('a')?.needMiB).toBe(320)
})

test('a guest that needs it again in between begins its minute anew', () => {
  const easy = vm({ actualMiB: 704, targetMiB: 704, availableMiB: 500 })
  const busy = vm({ actualMiB: 704, targetMiB: 704, availableMiB: 120 })
  let learnt = learn(NOTHING, [drifted], 0)
  for (const [at, seen] of [
    [1_000, easy],
    [50_000, busy],
    [51_000, easy],
    [100_000, easy],
  ] as const)
    learnt = learn(learnt, [seen], at)
  expect(learnt.needs.get('a')?.needMiB).toBe(704)
})

test('a guest that tells nothing keeps its need for half an hour', () => {
  const silent = vm({ actualMiB: 704, targetMiB: 704 })
  const learnt = learn(NOTHING, [drifted], 0)
  expect(learn(learnt, [silent], 29 * 60_000).needs.has('a')).toBe(true)
  expect(learn(learnt, [silent], 30 * 60_000).needs.has('a')).toBe(false)
})

test('a guest that does not move is left alone for a minute, then for two, and forgotten when it has moved', () => {
  const stuck = vm({ balloon: 'Stuck' })
  let learnt = learn(NOTHING, [stuck], 0)
  expect(learnt.unwilling.get('a')).toMatchObject({ untilMs: 60_000 })
  learnt = learn(learnt, [vm({ balloon: 'Moving' })], 60_000)
  learnt = learn(learnt, [stuck], 64_000)
  expect(learnt.unwilling.get('a')).toMatchObject({ untilMs: 184_000 })
  learnt = learn(learnt, [vm({ actualMiB: 400, balloon: 'Moving' })], 190_000)
  expect(learnt.unwilling.has('a')).toBe(false)
})

test('a VM that is gone is forgotten', () => {
  expect(learn(learn(NOTHING, [drifted], 0), [], 1_000)).toEqual(NOTHING)
})

test('what a guest uses by its own figures is learnt at once, with a tenth of its maximum to grow in', () => {
  const using = (mib: number) => vm({ actualMiB: 800, targetMiB: 800, availableMiB: 800 - mib })
  let learnt = learn(NOTHING, [using(100)], 0)
  expect(learnt.needs.get('a')?.needMiB).toBe(208)
  learnt = learn(learnt, [using(600)], 1_000)
  expect(learnt.needs.get('a')?.needMiB).toBe(704)
  // A little more or less is no news.
  learnt = learn(learnt, [using(610)], 2_000)
  for (const at of [100_000, 200_000]) learnt = learn(learnt, [using(540)], at)
  expect(learnt.needs.get('a')?.needMiB).toBe(704)
})

test('while its memory moves, and for 3 s after, figures of another size teach nothing', () => {
  // It got 256 MiB back; its own figures are still from before, so that it seems to use all of them.
  const before = vm({ actualMiB: 512, targetMiB: 512, availableMiB: 412 })
  const stale = vm({ actualMiB: 768, targetMiB: 768, availableMiB: 412 })
  const fresh = vm({ actualMiB: 768, targetMiB: 768, availableMiB: 668 })
  let learnt = learn(NOTHING, [before], 0)
  for (const [at, seen] of [
    [1_000, stale],
    [3_900, stale],
    [4_000, fresh],
  ] as const) {
    learnt = learn(learnt, [seen], at)
    expect(learnt.needs.get('a')?.needMiB).toBe(208)
  }
})
