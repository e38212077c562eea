import { expect, test } from 'vitest'
import { probeResult } from './probe.ts'

const answer = (at: number, seq: number) =>
  `[${at.toFixed(6)}] 64 bytes from 10.8.0.1: icmp_seq=${seq} ttl=64 time=0.4 ms\n`
const summary = (sent: number) =>
  `\n--- 10.8.0.1 ping statistics ---\n${sent} packets transmitted, 3 received, 0% packet loss\n`

test('lost is what was sent and not answered; the outage is the longest silence', () => {
  const text = answer(10, 1) + answer(10.001, 2) + answer(10.9, 900) + answer(10.901, 901) + summary(901)
  expect(probeResult(text)).toEqual({ sent: 901, lost: 897, outageMs: expect.closeTo(899, 3) })
})

test('an answer that came twice counts once, and a count that began anew goes on', () => {
  const text = answer(1, 65_535) + answer(1, 65_535) + answer(1.001, 0) + answer(1.002, 1) + summary(3)
  expect(probeResult(text)).toMatchObject({ sent: 3, lost: 0 })
})

test('what is under way at the stop is not lost, and a silence that lasts is', () => {
  const text = answer(1, 1) + answer(1.001, 2)
  expect(probeResult(text + summary(5))).toMatchObject({ sent: 2, lost: 0 })
  expect(probeResult(text + summary(1_002))).toMatchObject({ sent: 1_002, lost: 1_000 })
})
