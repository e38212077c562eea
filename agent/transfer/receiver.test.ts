import type { Duplex } from 'node:stream'
import { expect, test } from 'vitest'
import { lengthFrame } from '../../base/length-frames.ts'
import { encodeSyncFrame } from '../../protocol/sync/frame.ts'
import { type AgentBench, agentBench } from '../../testing/agent-bench.ts'

/** Another content than the applied one. */
const NEXT = { revision: 2, content: { attempt: 1 } }
const never = new AbortController().signal

async function connected() {
  const bench = await agentBench()
  const agent = await bench.enrolled()
  const dial = (from = '10.8.0.1') => bench.network.transport().connect(from, '10.8.0.7', 8092, never)
  return { ...bench, agent, dial }
}

/** The agent's direction was closed long ago: that it no longer listens shows at the second word (RST, then EPIPE). */
async function knock(clock: AgentBench['clock'], stream: Duplex): Promise<void> {
  for (let word = 0; word < 2; word++) {
    stream.write('x')
    await clock.advance(100)
  }
}

test('law 1: a sync connection is half-closed as it is accepted, and not one byte ever comes back', async () => {
  const { clock, authority, agent, network, dial } = await connected()
  const { stream } = await dial()
  let ended = false
  stream.on('end', () => {
    ended = true
  })
  stream.resume()
  await clock.settle()
  expect(ended).toBe(true)
  stream.write(lengthFrame(encodeSyncFrame({ type: 'bundle', bundle: authority.bundle(NEXT) })))
  stream.write(lengthFrame(Buffer.from('no frame')))
  await clock.advance(60_000)
  const back = network.segments.filter((s) => s.from === '10.8.0.7' && s.port === 8092)
  expect(back.reduce((sum, s) => sum + s.bytes.length, 0)).toBe(0)
  expect(agent.report()?.bundles.staged?.revision).toBe(2)
  await agent.stop()
})

test.each<[string, string, (bench: Awaited<ReturnType<typeof connected>>) => Uint8Array]>([
  ['a frame of an unknown type', 'SyncMalformed', () => lengthFrame(Uint8Array.of(9, 1))],
  ['a length over the limit', 'SyncTooLong', () => Buffer.from('ffffffff', 'hex')],
  ['a disk frame from an authority', 'SyncSource', () => lengthFrame(encodeSyncFrame({ type: 'end' }))],
  [
    'a bundle of which one byte is another',
    'BundleUnsigned',
    ({ authority }) => {
      const bytes = authority.bundle(NEXT)
      bytes[bytes.length - 2]! ^= 1
      return lengthFrame(encodeSyncFrame({ type: 'bundle', bundle: bytes }))
    },
  ],
  [
    'an older bundle',
    'NotNewer',
    ({ authority }) =>
      lengthFrame(
        encodeSyncFrame({ type: 'bundle', bundle: authority.bundle({ revision: 0, content: { attempt: 9 } }) }),
      ),
  ],
])('law 5: %s is discarded as %s, and the connection ends', async (_, reason, bytes) => {
  const bench = await connected()
  const { stream } = await bench.dial()
  let closed = false
  stream
    .on('error', () => {})
    .on('close', () => {
      closed = true
    })
  stream.resume()
  stream.write(bytes(bench))
  await bench.clock.advance(1_000)
  expect(bench.agent.report()?.refusals).toEqual({ [reason]: 1 })
  expect(bench.agent.report()?.bundles).toMatchObject({ applied: { revision: 1 } })
  await knock(bench.clock, stream)
  expect(closed).toBe(true)
  await bench.agent.stop()
})

test('who is no listed authority is not listened to', async () => {
  const { clock, agent, authority, dial } = await connected()
  const { stream } = await dial('10.8.0.9')
  stream.on('error', () => {})
  stream.write(lengthFrame(encodeSyncFrame({ type: 'bundle', bundle: authority.bundle(NEXT) })))
  await clock.advance(1_000)
  expect(agent.report()?.refusals).toEqual({ SyncSource: 1 })
  expect(agent.report()?.bundles.staged).toBeUndefined()
  await agent.stop()
})

test('one transfer a source: a new connection ends the older one, and a silent one ends by itself', async () => {
  const { clock, agent, authority, dial } = await connected()
  const first = await dial()
  const frame = lengthFrame(encodeSyncFrame({ type: 'bundle', bundle: authority.bundle(NEXT) }))
  const states = { first: 'open', second: 'open' }
  first.stream
    .on('error', () => {})
    .on('close', () => {
      states.first = 'closed'
    })
  first.stream.resume()
  first.stream.write(frame.subarray(0, 100))
  await clock.settle()
  const second = await dial()
  second.stream
    .on('error', () => {})
    .on('close', () => {
      states.second = 'closed'
    })
  second.stream.resume()
  second.stream.write(frame)
  await clock.advance(1_000)
  await knock(clock, first.stream)
  expect(states).toEqual({ first: 'closed', second: 'open' })
  expect(agent.report()?.bundles.staged?.revision).toBe(2)
  await clock.advance(31_000)
  await knock(clock, second.stream)
  expect(states.second).toBe('closed')
  await agent.stop()
})
