import fc from 'fast-check'
import { expect, test } from 'vitest'
import { dueQueue } from './due-queue.ts'

test('values come out by time, those of one time in the order they were pushed, and none before its time', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 50 })), fc.integer({ min: 0, max: 50 }), (times, nowMs) => {
      const queue = dueQueue<number>()
      times.forEach((dueMs, i) => {
        queue.push(dueMs, i)
      })
      const out: number[] = []
      for (let one = queue.take(nowMs); one; one = queue.take(nowMs)) out.push(one.value)
      const expected = times
        .map((dueMs, i) => ({ dueMs, i }))
        .filter(({ dueMs }) => dueMs <= nowMs)
        .sort((a, b) => a.dueMs - b.dueMs || a.i - b.i)
      expect(out).toEqual(expected.map(({ i }) => i))
      const rest = times.filter((dueMs) => dueMs > nowMs)
      expect(queue.nextMs()).toBe(rest.length > 0 ? Math.min(...rest) : undefined)
    }),
  )
})
