import { once } from 'node:events'
import { expect, test } from 'vitest'
import type { Connection } from '../../base/transport.ts'
import { memoryNetwork } from '../../testing/memory-network.ts'
import { seededRandom } from '../../testing/seeded-random.ts'
import { virtualClock } from '../../testing/virtual-clock.ts'
import { gatedTransport } from './gated-transport.ts'

function setUp() {
  const clock = virtualClock()
  const network = memoryNetwork(clock, seededRandom(1))
  let leads = true
  const gated = gatedTransport(network.transport(), () => leads)
  const depose = () => {
    leads = false
  }
  return { clock, other: network.transport(), gated, depose }
}
const never = new AbortController().signal

test('a deposed leader sends no datagram and dials nobody', async () => {
  const { gated, other, depose, clock } = setUp()
  const heard: string[] = []
  await other.bindUdp('10.8.0.2', 8090, (bytes) => void heard.push(Buffer.from(bytes).toString()))
  const socket = await gated.bindUdp('10.8.0.1', 8090, () => {})
  await socket.send(Buffer.from('before'), '10.8.0.2', 8090)
  depose()
  await expect(socket.send(Buffer.from('after'), '10.8.0.2', 8090)).rejects.toMatchObject({ code: 'NotLeading' })
  await expect(gated.connect('10.8.0.1', '10.8.0.2', 8092, never)).rejects.toMatchObject({ code: 'NotLeading' })
  await clock.advance(1_000)
  expect(heard).toEqual(['before'])
})

test.each(['dialled', 'accepted'])(
  'a connection that was %s while it led ends at its first byte afterwards',
  async (how) => {
    const { gated, other, depose, clock } = setUp()
    const [dials, listens] = how === 'dialled' ? [gated, other] : [other, gated]
    const accepted = Promise.withResolvers<Connection>()
    await listens.listen('10.8.0.2', 8092, (connection) => accepted.resolve(connection))
    const dialled = await dials.connect('10.8.0.1', '10.8.0.2', 8092, never)
    const [ours, theirs] = how === 'dialled' ? [dialled, await accepted.promise] : [await accepted.promise, dialled]
    for (const { stream } of [ours, theirs]) stream.on('error', () => {})
    let heard = ''
    theirs.stream.on('data', (bytes: Buffer) => {
      heard += bytes.toString()
    })
    ours.stream.write('before')
    await clock.advance(1_000)
    depose()
    const closed = once(ours.stream, 'close')
    expect(ours.stream.write('after')).toBe(false)
    ours.stream.end('and the last words')
    await clock.advance(1_000)
    await closed
    expect(heard).toBe('before')
  },
)
