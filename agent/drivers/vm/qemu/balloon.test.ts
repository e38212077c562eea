import { expect, test } from 'vitest'
import { aim, type BalloonSample, type BalloonWatch, found, judge, newWatch } from './balloon.ts'

const sample = (actualMiB: number, nowMs: number, given: Partial<BalloonSample> = {}): BalloonSample => ({
  actualMiB,
  driverSeen: true,
  running: true,
  nowMs,
  ...given,
})
/** Judges sample after sample; the last verdict. */
function after(watch: BalloonWatch, samples: BalloonSample[]) {
  let verdict: ReturnType<typeof judge> = { watch }
  for (const next of samples) verdict = judge(verdict.watch, next)
  return verdict
}
const aimed = aim(newWatch(512, 0), 128, 0)

test('a new machine has all its memory', () => {
  expect(newWatch(512, 0)).toMatchObject({ targetMiB: 512, actualMiB: 512, state: 'Converged' })
})

test('it moves, and has converged when it is there', () => {
  expect(aimed.state).toBe('Moving')
  expect(after(aimed, [sample(400, 100)]).watch.state).toBe('Moving')
  expect(after(aimed, [sample(400, 100), sample(128, 200)])).toEqual({
    watch: expect.objectContaining({ state: 'Converged', actualMiB: 128 }),
  })
})

test('a target it already has is no movement', () => {
  expect(aim(newWatch(512, 0), 512, 0).state).toBe('Converged')
})

test('3 s without movement is Stuck, and the target goes back to what the guest has', () => {
  expect(after(aimed, [sample(300.5, 100), sample(300.5, 3_099)]).watch.state).toBe('Moving')
  expect(after(aimed, [sample(300.5, 100), sample(300.5, 3_100)])).toEqual({
    watch: expect.objectContaining({ state: 'Stuck', targetMiB: 301 }),
    retarget: 301,
  })
})

test('the same with a driver that never spoke is DriverAbsent', () => {
  expect(after(aimed, [sample(512, 3_000, { driverSeen: false })])).toEqual({
    watch: expect.objectContaining({ state: 'DriverAbsent', targetMiB: 512 }),
    retarget: 512,
  })
})

test('a guest that gives little by little is not stuck', () => {
  const samples = Array.from({ length: 100 }, (_, i) => sample(512 - i * 0.5, 100 + i * 1_000))
  expect(after(aimed, samples).watch.state).toBe('Moving')
})

test('a few pages to and fro are no movement', () => {
  const samples = Array.from({ length: 40 }, (_, i) => sample(300 + (i % 2) * 0.25, 100 + i * 100))
  expect(after(aimed, samples).watch.state).toBe('Stuck')
})

test('a paused guest moves nothing, which proves nothing', () => {
  const paused = after(aimed, [sample(300, 100), sample(300, 60_000, { running: false })])
  expect(paused.watch.state).toBe('Moving')
  expect(judge(paused.watch, sample(300, 62_999)).watch.state).toBe('Moving')
  expect(judge(paused.watch, sample(300, 63_000)).watch.state).toBe('Stuck')
})

test('an unasked rise is Drifted until it is back or asked anew', () => {
  const converged = after(aimed, [sample(128, 100)]).watch
  const drifted = judge(converged, sample(160, 5_000)).watch
  expect(drifted).toMatchObject({ state: 'Drifted', actualMiB: 160, targetMiB: 128 })
  expect(judge(drifted, sample(128, 6_000)).watch.state).toBe('Converged')
  expect(aim(drifted, 192, 6_000).state).toBe('Moving')
})

test('a machine found again should have what it has', () => {
  expect(found(200.2, 0)).toMatchObject({ targetMiB: 201, actualMiB: 200.2, state: 'Converged' })
  expect(judge(found(200.2, 0), sample(200.2, 100)).watch.state).toBe('Converged')
})
