import { expect, test } from 'vitest'
import { CUT, FINISH, GRACEFUL, type Ladder, stepAt } from './ladder.ts'

/** Every step with the second it is taken, asked again whenever it says so. */
function walk(ladder: Ladder, untilMs: number): string[] {
  const steps: string[] = []
  for (let atMs = 0; atMs <= untilMs; ) {
    const { step, againInMs } = stepAt(ladder, atMs)
    steps.push(`${atMs / 1000} ${step}`)
    atMs += againInMs
  }
  return steps
}

test('graceful: the button every 5 s for 30 s, quit, SIGTERM, SIGKILL until it is gone', () => {
  expect(walk(GRACEFUL, 56_000)).toEqual([
    '0 powerdown',
    '5 powerdown',
    '10 powerdown',
    '15 powerdown',
    '20 powerdown',
    '25 powerdown',
    '30 quit',
    '40 sigterm',
    '50 sigkill',
    '55 sigkill',
  ])
})

test('a guest that has ended leaves a QEMU that is told to go', () => {
  expect(walk(FINISH, 20_000)).toEqual(['0 quit', '10 sigterm', '20 sigkill'])
})

test('a cut leaves QEMU one second', () => {
  expect(walk(CUT, 1_000)).toEqual(['0 quit', '1 sigkill'])
})

test('an odd moment is somewhere on the ladder, never beyond it', () => {
  expect(stepAt(GRACEFUL, 29_999)).toEqual({ step: 'powerdown', againInMs: 1 })
  expect(stepAt(GRACEFUL, 1e9).step).toBe('sigkill')
})
