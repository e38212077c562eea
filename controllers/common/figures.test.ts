import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { steadyInstant, steadyMiB } from './figures.ts'

describe('memory in status', () => {
  test('moves by 64 MiB, or by 5 % where that is more', () => {
    expect(steadyMiB(512, 575)).toBe(512)
    expect(steadyMiB(512, 576)).toBe(576)
    expect(steadyMiB(4096, 4300)).toBe(4096)
    expect(steadyMiB(4096, 4301)).toBe(4301)
  })

  test('is exact when it has come to rest, and when nothing was stored', () => {
    expect(steadyMiB(512, 520, true)).toBe(520)
    expect(steadyMiB(undefined, 7)).toBe(7)
  })

  test('is never further off than the step, and stays once shown', () => {
    fc.assert(
      fc.property(fc.nat(1_000_000), fc.nat(1_000_000), (stored, actual) => {
        const shown = steadyMiB(stored, actual)
        expect(Math.abs(shown - actual)).toBeLessThan(Math.max(64, stored * 0.05))
        expect(steadyMiB(shown, actual)).toBe(shown)
      }),
    )
  })
})

test('an instant moves after two to four hours, and never vanishes', () => {
  const at = Date.UTC(2026, 0, 1)
  const first = '2026-01-01T00:00:00Z'
  expect(steadyInstant(first, at + 7_199_000, 'office')).toBe(first)
  expect(steadyInstant(first, at + 14_400_000, 'office')).toBe('2026-01-01T04:00:00Z')
  expect(steadyInstant(undefined, at, 'office')).toBe(first)
  expect(steadyInstant(first, undefined, 'office')).toBe(first)
  expect(steadyInstant(undefined, undefined, 'office')).toBeUndefined()
})

test('instants of a fleet that began at once move in no minute together', () => {
  const at = Date.UTC(2026, 0, 1)
  const first = '2026-01-01T00:00:00Z'
  const minutes = Array.from({ length: 254 }, (_, n) => {
    let minute = 120
    while (steadyInstant(first, at + minute * 60_000, `uid-${n}`) === first) minute++
    return minute
  })
  const most = Math.max(...minutes.map((minute) => minutes.filter((other) => other === minute).length))
  expect(most).toBeLessThan(10)
})
