import { expect, test } from 'vitest'
import { frameReader } from '../../base/length-frames.ts'
import { decodeSyncFrame, SYNC_FRAME_LIMIT } from '../../protocol/sync/frame.ts'
import { memoryNetwork } from '../../testing/memory-network.ts'
import { virtualClock } from '../../testing/virtual-clock.ts'
import { syncPusher } from './push.ts'

const AUTHORITY = '10.8.0.1'
const NODE = { address: '10.8.0.2', port: 8092 }

function network() {
  const clock = virtualClock()
  const net = memoryNetwork(clock)
  return { clock, net, push: syncPusher(net.transport(), () => AUTHORITY) }
}

test('a push is one connection with one frame, and both halves end', async () => {
  const { clock, net, push } = network()
  const got: unknown[] = []
  let ended = false
  await net.transport().listen(NODE.address, NODE.port, ({ stream, remoteAddress }) => {
    stream.end()
    const reader = frameReader(SYNC_FRAME_LIMIT, (frame) => got.push([remoteAddress, decodeSyncFrame(frame)]))
    stream.on('data', (chunk) => reader.push(chunk))
    stream.on('end', () => {
      ended = true
    })
  })
  const bundle = new Uint8Array(300_000).fill(7)
  const pushed = push(NODE, bundle, new AbortController().signal)
  await clock.advance(1000)
  await pushed
  expect(got).toEqual([[AUTHORITY, { type: 'bundle', bundle }]])
  expect(ended).toBe(true)
})

test('whatever the agent writes is dropped unread (law 1)', async () => {
  const { clock, net, push } = network()
  await net.transport().listen(NODE.address, NODE.port, ({ stream }) => {
    stream.resume()
    stream.end(Buffer.alloc(200_000))
  })
  const pushed = push(NODE, new Uint8Array([1]), new AbortController().signal)
  await clock.advance(1000)
  await pushed
  expect(net.segments.filter((s) => s.from === AUTHORITY && s.bytes.length > 0).length).toBe(1)
})

test('a push to nobody, or one called off, rejects', async () => {
  const { clock, net, push } = network()
  const refused = push(NODE, new Uint8Array([1]), new AbortController().signal)
  refused.catch(() => {})
  await clock.advance(20_000)
  await expect(refused).rejects.toThrow()

  await net.transport().listen(NODE.address, NODE.port, ({ stream }) => void stream.end())
  net.rules.cut(AUTHORITY, NODE.address)
  const stop = new AbortController()
  const hanging = push(NODE, new Uint8Array([1]), stop.signal)
  hanging.catch(() => {})
  await clock.advance(100)
  stop.abort(new Error('enough'))
  await clock.advance(100)
  await expect(hanging).rejects.toThrow()
})
