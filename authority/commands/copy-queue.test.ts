import { expect, test } from 'vitest'
import { COPIES_PER_SECOND, COPY_BURST, COPY_QUEUE_MAX, COPY_TICK_MS, copyQueue } from './copy-queue.ts'

const bytes = new Uint8Array(16)
const addresses = Array.from({ length: 253 }, (_, i) => `10.8.0.${i + 1}`)

test('254 commands for 253 others each are out within 5 s, none dropped, none too fast', () => {
  const queue = copyQueue()
  for (let i = 0; i < 254; i++) expect(queue.add(bytes, addresses)).toBe(0)
  let sent = 0
  let nowMs = 0
  for (; queue.size() > 0; nowMs += COPY_TICK_MS) {
    sent += queue.take(nowMs).length
    expect(sent).toBeLessThanOrEqual(COPY_BURST + (nowMs * COPIES_PER_SECOND) / 1000)
  }
  expect(sent).toBe(254 * 253)
  expect(nowMs).toBeLessThan(5_000)
})

test('every receiver gets its copy, in the order of the commands', () => {
  const queue = copyQueue()
  queue.add(Uint8Array.of(1), ['a', 'b'])
  queue.add(Uint8Array.of(2), ['b', 'c'])
  expect(queue.take(0).map((packet) => `${packet.bytes[0]}${packet.address}`)).toEqual(['1a', '1b', '2b', '2c'])
})

test('what does not fit is dropped and said', () => {
  const queue = copyQueue()
  const fill = Math.ceil(COPY_QUEUE_MAX / addresses.length)
  let dropped = 0
  for (let i = 0; i < fill; i++) dropped += queue.add(bytes, addresses)
  expect(queue.size()).toBe(COPY_QUEUE_MAX)
  expect(dropped).toBe(fill * addresses.length - COPY_QUEUE_MAX)
  expect(queue.clear()).toBe(COPY_QUEUE_MAX)
  expect(queue.take(0)).toEqual([])
})
