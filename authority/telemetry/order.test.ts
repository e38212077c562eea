import { expect, test } from 'vitest'
import { accepted, MAX_LAG_MS, noOrder, type OrderState, seen } from './order.ts'

const A = 'a'.repeat(32)
const B = 'b'.repeat(32)

/** Sees a frame, and accepts it if `ping` is shown; returns the state, or the fault. */
function frame(
  state: OrderState,
  bootId: string,
  sequence: number,
  uptimeMs: number,
  nowMs: number,
  marks: { ping?: number; lastPing?: number } = {},
) {
  const result = seen(state, { bootId, sequence, uptimeMs }, marks.lastPing, nowMs)
  if (!result.ok) return { fault: result.fault, state, believed: false }
  const after = accepted(result.state, bootId, marks.ping, nowMs)
  return { unproven: result.unproven, state: after ?? result.state, believed: after !== undefined }
}
const started = frame(noOrder, A, 1, 1_000, 0, { ping: 10, lastPing: 10 }).state

test('the first boot id of all needs a PING of ours and no more', () => {
  expect(frame(noOrder, A, 1, 1_000, 0)).toMatchObject({ believed: false })
  expect(frame(noOrder, A, 1, 1_000, 0, { ping: 10, lastPing: 10 })).toMatchObject({ believed: true })
})

test('within a boot id the sequence rises', () => {
  expect(frame(started, A, 1, 2_000, 1_000, { ping: 10 })).toMatchObject({ fault: 'SequenceNotRising' })
  expect(frame(started, A, 2, 2_000, 1_000, { ping: 10 })).toMatchObject({ believed: true })
})

test('within a boot id the uptime does not go back', () => {
  expect(frame(started, A, 2, 999, 1_000, { ping: 10 })).toMatchObject({ fault: 'UptimeWentBack' })
})

test('another boot id is believed only with the mark of a PING sent after it was seen', () => {
  const first = frame(started, B, 1, 10, 5_000, { ping: 10, lastPing: 10 })
  expect(first).toMatchObject({ unproven: 'BootIdUnproven', believed: false })
  const again = frame(first.state, B, 2, 20, 5_010, { ping: 10, lastPing: 11 })
  expect(again).toMatchObject({ believed: false })
  expect(frame(again.state, B, 3, 30, 5_020, { ping: 11, lastPing: 11 })).toMatchObject({ believed: true })
})

test('until then the present boot id goes on', () => {
  const first = frame(started, B, 1, 10, 5_000, { ping: 10, lastPing: 10 })
  expect(frame(first.state, A, 2, 6_000, 5_000, { ping: 10 })).toMatchObject({ believed: true })
})

test('a boot id once left never returns', () => {
  const seenB = frame(started, B, 1, 10, 5_000, { lastPing: 10 })
  const inB = frame(seenB.state, B, 2, 20, 5_010, { ping: 11, lastPing: 11 })
  expect(inB.believed).toBe(true)
  expect(frame(inB.state, A, 99, 99_000, 6_000, { ping: 12, lastPing: 12 })).toMatchObject({ fault: 'BootIdReturned' })
})

test('a frame whose uptime lags by over 60 s is not believed; the mark of a later PING sets the baseline anew', () => {
  const nowMs = 100_000
  const uptime = 1_000 + nowMs - MAX_LAG_MS
  expect(frame(started, A, 2, uptime, nowMs, { ping: 10, lastPing: 10 })).toMatchObject({ believed: true })
  const late = frame(started, A, 2, uptime - 1, nowMs, { ping: 10, lastPing: 10 })
  expect(late).toMatchObject({ unproven: 'UptimeLags', believed: false })
  // Even one that is in time, until the mark is there.
  const intime = frame(late.state, A, 3, 101_500, nowMs + 500, { ping: 10, lastPing: 11 })
  expect(intime).toMatchObject({ unproven: 'UptimeLags', believed: false })
  const proved = frame(intime.state, A, 4, 101_600, nowMs + 900, { ping: 11, lastPing: 11 })
  expect(proved.believed).toBe(true)
  expect(frame(proved.state, A, 5, 101_700, nowMs + 1_000, { ping: 11 })).toMatchObject({ believed: true })
})

test('a node whose clock runs fast moves the baseline along', () => {
  const fast = frame(started, A, 2, 31_000, 10_000, { ping: 10 })
  expect(fast.believed).toBe(true)
  // 61 s behind the fast frame's pace, though not behind the first frame's.
  expect(frame(fast.state, A, 3, 31_000, 71_000, { ping: 10 })).toMatchObject({ unproven: 'UptimeLags' })
})
