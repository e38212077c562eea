import { expect, test } from 'vitest'
import { virtualClock } from './virtual-clock.ts'

test('timers fire in order of time, each at its own instant', async () => {
  const clock = virtualClock()
  const start = clock.monotonic()
  const seen: [string, number][] = []
  clock.after(20, () => seen.push(['b', clock.monotonic() - start]))
  clock.after(10, () => {
    seen.push(['a', clock.monotonic() - start])
    clock.after(5, () => seen.push(['nested', clock.monotonic() - start]))
  })
  await clock.advance(30)
  expect(seen).toEqual([
    ['a', 10],
    ['nested', 15],
    ['b', 20],
  ])
})

test('a sleep ends early with the reason of its signal', async () => {
  const clock = virtualClock()
  const stop = new AbortController()
  const slept = clock.sleep(1000, stop.signal)
  stop.abort(new Error('enough'))
  await expect(slept).rejects.toThrow('enough')
  expect(clock.pending()).toBe(0)
})
