import { expect, test } from 'vitest'
import { OP } from '../../protocol/command/ops.ts'
import { sequences } from './sequences.ts'

const EPOCH = 1_000_000
const at = (ms: number) => EPOCH + ms
const given = (result: ReturnType<ReturnType<typeof sequences>['next']>) => {
  expect(result.ok).toBe(true)
  return result.ok ? result.sequence : -1
}

test('each (node, op, slot) has its own, so that many archives do not outrun the clock', () => {
  const clock = sequences(EPOCH)
  for (let slot = 1; slot <= 255; slot++) expect(given(clock.next('a', OP.POWER, slot, at(10_000)))).toBe(160)
  expect(given(clock.next('a', OP.POWER, 1, at(10_000)))).toBe(161)
  expect(given(clock.next('b', OP.POWER, 1, at(10_000)))).toBe(160)
})

test('no sequence is more than 30 s ahead of the clock: what comes then waits as long as it takes', () => {
  const clock = sequences(EPOCH)
  for (let i = 0; i <= 480; i++) given(clock.next('a', OP.POWER, 1, at(0)))
  expect(clock.next('a', OP.POWER, 1, at(0))).toEqual({ ok: false, waitMs: 63 })
  expect(given(clock.next('a', OP.POWER, 1, at(63)))).toBe(481)
})

test('a wall clock set back does not lower a sequence', () => {
  const clock = sequences(EPOCH)
  const before = given(clock.next('a', OP.POWER, 1, at(60_000)))
  expect(given(clock.next('a', OP.POWER, 1, at(40_000)))).toBe(before + 1)
  expect(clock.next('a', OP.POWER, 1, at(0))).toMatchObject({ ok: false })
})

test('the ceiling lies at or above all that was given, and below all that will be', () => {
  const clock = sequences(EPOCH)
  for (let i = 0; i < 5; i++) given(clock.next('a', OP.POWER, 1, at(0)))
  const ceiling = clock.ceiling('a', at(100))
  expect(ceiling).toBeGreaterThanOrEqual(4)
  expect(given(clock.next('a', OP.WEIGHT, 9, at(100)))).toBeGreaterThan(ceiling)
})
