import { expect, test } from 'vitest'
import type { Measured } from './measure.ts'
import { changeTable, coldTable } from './report.ts'

const round = (n: number): Measured => ({
  ...{ coldEffectMs: n * 1000, coldStatusMs: n * 1100, coldCpuMs: 500, coldRequests: { watch: 1, list: n } },
  ...{ effectMs: [n, n * 2], answerMs: [1], updateCpuMs: 4, updateRequests: {}, burstMs: [n * 10, n * 30] },
  ...{ settledMiB: 40, settledOwnMiB: 20, endMiB: 41, peakMiB: 42 + n },
})
const rounds = [{ what: 'a', rounds: [round(1), round(3), round(2)] }]

test('cold starts: the middle of the rounds and their spread, the requests of the last one', () => {
  expect(coldTable(rounds).split('\n').at(-1)).toBe(
    '| a | 2.00 s (1.00 s - 3.00 s) | 2.20 s (1.10 s - 3.30 s) | 0.50 s | 40 MiB | 20 MiB | 44 MiB (43 MiB - 45 MiB) | 2 list, 1 watch |',
  )
})

test('changes: percentiles over the samples of all rounds', () => {
  expect(changeTable(rounds).split('\n').at(-1)).toBe(
    '| a | 6 | 2.0 ms | 6.0 ms | 6.0 ms | 1.0 ms | 1.0 ms | 2.0 ms | 20 ms (10 ms - 30 ms) | 60 ms (30 ms - 90 ms) | 41 MiB |',
  )
})
