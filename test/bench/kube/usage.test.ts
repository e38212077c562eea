import { expect, test } from 'vitest'
import { usageFrom, usageOf } from './usage.ts'

test('memory and processor time are read as proc(5) has them, whatever the program is called', () => {
  const status = 'Name:\tnode\nVmPeak:\t  99999 kB\nVmHWM:\t  204800 kB\nVmRSS:\t  102400 kB\nRssAnon:\t   51200 kB\n'
  const stat = '42 (a ) b) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 11 0 123 456 789'
  expect(usageFrom(status, stat)).toEqual({ rssMiB: 100, ownMiB: 50, peakMiB: 200, cpuMs: 2000 })
})

test('a process of its own can be read', () => {
  const { rssMiB, peakMiB, cpuMs } = usageOf(process.pid)
  expect(rssMiB).toBeGreaterThan(10)
  expect(peakMiB).toBeGreaterThanOrEqual(rssMiB)
  expect(cpuMs).toBeGreaterThan(0)
})
