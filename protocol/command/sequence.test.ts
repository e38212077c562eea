import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nextSequence, sequenceAt, ticksAheadMs } from './sequence.ts'

const EPOCH = Date.UTC(2026, 0, 1)
const U32 = 0xffff_ffff

test('a tick is 1/16 s since the mesh began', () => {
  expect(sequenceAt(EPOCH, EPOCH)).toBe(0)
  expect(sequenceAt(EPOCH, EPOCH + 62)).toBe(0)
  expect(sequenceAt(EPOCH, EPOCH + 63)).toBe(1)
  expect(sequenceAt(EPOCH, EPOCH + 1000)).toBe(16)
})

test('a clock before the epoch, or past the last tick, stays within u32', () => {
  expect(sequenceAt(EPOCH, EPOCH - 1)).toBe(0)
  expect(sequenceAt(EPOCH, EPOCH + 1e15)).toBe(U32)
})

test('the next sequence is above the last and not behind the clock', () => {
  fc.assert(
    fc.property(fc.nat(U32 - 1), fc.nat(1e12), (last, elapsed) => {
      const now = EPOCH + elapsed
      const next = nextSequence(last, EPOCH, now)
      expect(next).toBe(Math.max(last + 1, sequenceAt(EPOCH, now)))
    }),
  )
  expect(nextSequence(undefined, EPOCH, EPOCH + 500)).toBe(8)
})

test('a clock that jumps back never brings a sequence back', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(1e10), { minLength: 2 }), (instants) => {
      let last: number | undefined
      for (const instant of instants) {
        const next = nextSequence(last, EPOCH, EPOCH + instant)
        if (last !== undefined) expect(next).toBeGreaterThan(last)
        last = next
      }
    }),
  )
})

test('after the last tick there is no next one', () => {
  expect(() => nextSequence(U32, EPOCH, EPOCH)).toThrow(expect.objectContaining({ code: 'SequenceExhausted' }))
})

test('a burst runs ahead of the clock by a tick each', () => {
  let last = sequenceAt(EPOCH, EPOCH + 10_000)
  for (let i = 0; i < 160; i++) last = nextSequence(last, EPOCH, EPOCH + 10_000)
  expect(ticksAheadMs(last, EPOCH, EPOCH + 10_000)).toBe(10_000)
  expect(ticksAheadMs(sequenceAt(EPOCH, EPOCH + 1000), EPOCH, EPOCH + 3000)).toBe(-2000)
})
