import { expect, test } from 'vitest'
import { parseDuration } from './duration.ts'

test.each([
  ['90s', 90_000],
  ['5m', 300_000],
  ['1h30m', 5_400_000],
  ['500ms', 500],
  ['1.5s', 1500],
  ['0s', 0],
])('%s is %d ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms)
})

test.each(['', '90', 's', '5m ', '-5s', '5d', '1h-3m', 'five'])('"%s" is no duration', (text) => {
  expect(() => parseDuration(text)).toThrow(expect.objectContaining({ exit: 64 }))
})
