import { expect, test } from 'vitest'
import { arrivals } from './telling.ts'

test('the first packet after a word counts, up to the next word; who heard none has lost it', () => {
  const heard = new Map([
    ['10.8.0.2', [{ atMs: 1_004 }, { atMs: 1_104 }, { atMs: 1_503 }]],
    ['10.8.0.3', [{ atMs: 999 }, { atMs: 1_009 }]],
  ])
  expect(arrivals([1_000, 1_500], heard)).toEqual({
    latencies: [4, 9, 3],
    rounds: [9, 3],
    lost: ['10.8.0.3 in round 2'],
  })
})
