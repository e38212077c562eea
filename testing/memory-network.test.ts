import { once } from 'node:events'
import { expect, test } from 'vitest'
import type { Connection } from '../base/transport.ts'
import { memoryNetwork } from './memory-network.ts'
import { seededRandom } from './seeded-random.ts'
import { virtualClock } from './virtual-clock.ts'

const A = '10.8.0.1'
const B = '10.8.0.2'
const PORT = 8090
const never = new AbortController().signal
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8')

async function udpPair(seed = 1) {
  const clock = virtualClock()
  const network = memoryNetwork(clock, seededRandom(seed))
  const got: string[] = []
  await network.transport().bindUdp(B, PORT, (bytes, from) => got.push(`${text(bytes)} from ${from}`))
  const socket = await network.transport().bindUdp(A, PORT, () => {})
  const send = (payload: string) => socket.send(Buffer.from(payload), B, PORT)
  return { clock, network, got, send }
}

async function tcpPair() {
  const clock = virtualClock()
  const network = memoryNetwork(clock)
  let server: Connection | undefined
  const listener = await network.transport().listen(B, PORT, (connection) => {
    server = connection
  })
  const client = await network.transport().connect(A, B, PORT, never)
  return { clock, network, listener, client, server: server as unknown as Connection }
}

/** What has come so far, and whether the end has. */
function reading(connection: Connection) {
  const state = { text: '', ended: false }
  connection.stream.on('data', (chunk: Buffer) => {
    state.text += text(chunk)
  })
  connection.stream.on('end', () => {
    state.ended = true
  })
  return state
}

test('a datagram arrives with the address of its sender, and never within the turn that sent it', async () => {
  const { clock, got, send } = await udpPair()
  void send('one')
  expect(got).toEqual([])
  await clock.settle()
  expect(got).toEqual([`one from ${A}`])
})

test('a cut direction loses everything, the other nothing, until it is healed', async () => {
  const { clock, network, got, send } = await udpPair()
  const heal = network.rules.cut(A, B)
  await send('lost')
  heal()
  network.rules.cut(B, A)
  await send('found')
  await clock.settle()
  expect(got).toEqual([`found from ${A}`])
  expect(network.datagrams.map((one) => [text(one.bytes), one.copies])).toEqual([
    ['lost', 0],
    ['found', 1],
  ])
})

test('a delay is kept to the millisecond', async () => {
  const { clock, network, got, send } = await udpPair()
  network.rules.add({ delayMs: 30 })
  await send('one')
  await clock.advance(29)
  expect(got).toEqual([])
  await clock.advance(1)
  expect(got).toHaveLength(1)
})

test('the newest rule that matches decides', async () => {
  const { clock, network, got, send } = await udpPair()
  network.rules.add({ cut: true })
  const undo = network.rules.add({ from: A, to: B, protocol: 'udp', port: PORT })
  await send('through')
  undo()
  await send('lost')
  await clock.settle()
  expect(got).toEqual([`through from ${A}`])
})

test('loss, duplication and reordering happen about as often as told, and the same way under the same seed', async () => {
  const run = async (seed: number) => {
    const { clock, network, got, send } = await udpPair(seed)
    network.rules.add({ loss: 0.25, duplicate: 0.25, reorder: 0.25, reorderMs: 10 })
    for (let i = 0; i < 400; i++) {
      await send(`${i}`)
      await clock.advance(1)
    }
    await clock.advance(10)
    return { got, copies: network.datagrams.map((one) => one.copies) }
  }
  const first = await run(7)
  expect(await run(7)).toEqual(first)
  expect(await run(8)).not.toEqual(first)
  const lost = first.copies.filter((copies) => copies === 0).length
  const doubled = first.copies.filter((copies) => copies === 2).length
  expect(lost).toBeGreaterThan(60)
  expect(lost).toBeLessThan(140)
  expect(doubled).toBeGreaterThan(40)
  expect(doubled).toBeLessThan(120)
  const order = first.got.map((line) => Number.parseInt(line, 10))
  expect(order).not.toEqual([...order].sort((a, b) => a - b))
})

test('an address and port are bound once', async () => {
  const network = memoryNetwork(virtualClock())
  const socket = await network.transport().bindUdp(A, PORT, () => {})
  await expect(network.transport().bindUdp(A, PORT, () => {})).rejects.toMatchObject({ code: 'EADDRINUSE' })
  socket.close()
  await network.transport().bindUdp(A, PORT, () => {})
  await expect(socket.send(new Uint8Array(1), B, PORT)).rejects.toThrow()
})

test('each side can end its own direction at once and go on reading', async () => {
  const { clock, client, server } = await tcpPair()
  const [atClient, atServer] = [reading(client), reading(server)]
  server.stream.end()
  await clock.settle()
  client.stream.write('still ')
  await clock.settle()
  client.stream.end('here')
  await clock.settle()
  expect(atClient).toEqual({ text: '', ended: true })
  expect(atServer).toEqual({ text: 'still here', ended: true })
  expect(client.stream.destroyed && server.stream.destroyed).toBe(true)
})

test('what was written is known, with who wrote it', async () => {
  const { clock, network, client, server } = await tcpPair()
  server.stream.end()
  client.stream.write('up')
  await clock.settle()
  expect(network.segments.map(({ from, to, port, bytes }) => [from, to, port, text(bytes)])).toEqual([
    [A, B, PORT, 'up'],
  ])
})

test('a stream stays in order under jitter and stands still under a cut', async () => {
  const { clock, network, client, server } = await tcpPair()
  const at = reading(server)
  network.rules.add({ delayMs: 5, jitterMs: 50 })
  for (let i = 0; i < 10; i++) client.stream.write(String(i))
  await clock.advance(60)
  expect(at.text).toBe('0123456789')
  const heal = network.rules.cut(A, B)
  client.stream.write('late')
  await clock.advance(60_000)
  expect(at.text).toBe('0123456789')
  heal()
  await clock.advance(60)
  expect(at.text).toBe('0123456789late')
})

test('a writer waits while nobody reads, and goes on when somebody does', async () => {
  const { clock, client, server } = await tcpPair()
  let written = 0
  const chunk = Buffer.alloc(64 * 1024)
  const total = 40
  for (let i = 0; i < total; i++) client.stream.write(chunk, () => written++)
  await clock.settle()
  expect(written).toBeLessThan(20)
  let read = 0
  server.stream.on('data', (bytes: Buffer) => {
    read += bytes.length
  })
  while (written < total) await clock.settle()
  await clock.settle()
  expect(read).toBe(total * chunk.length)
})

test('a dial is refused where nobody listens', async () => {
  const network = memoryNetwork(virtualClock())
  await expect(network.transport().connect(A, B, PORT, never)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
})

test('a dial over a cut ends after 10 s, or with the reason of its signal', async () => {
  const { clock, network } = await tcpPair()
  network.rules.part(A, B)
  const dialling = network.transport().connect(A, B, PORT, never)
  const timedOut = expect(dialling).rejects.toMatchObject({ code: 'ConnectTimedOut' })
  await clock.advance(10_000)
  await timedOut
  const stop = new AbortController()
  const another = network.transport().connect(A, B, PORT, stop.signal)
  stop.abort(new Error('enough'))
  await expect(another).rejects.toThrow('enough')
})

test('closing at one end ends the other, and what it writes then comes back as a reset', async () => {
  const { clock, client, server } = await tcpPair()
  server.destroy()
  const at = reading(client)
  await clock.settle()
  expect(at.ended).toBe(true)
  client.stream.write('to nobody')
  await clock.settle()
  const failed = once(client.stream, 'error')
  client.stream.write('again')
  await expect(failed).resolves.toMatchObject([{ code: 'EPIPE' }])
})

test('a removed host resets its connections, frees its ports and may come back', async () => {
  const { clock, network, client, server } = await tcpPair()
  const socket = await network.transport().bindUdp(B, PORT, () => {})
  const failed = once(client.stream, 'error')
  network.removeHost(B)
  await expect(failed).resolves.toMatchObject([{ code: 'ECONNRESET' }])
  expect(client.stream.destroyed && server.stream.destroyed).toBe(true)
  await expect(network.transport().connect(A, B, PORT, never)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  await expect(socket.send(new Uint8Array(1), A, PORT)).rejects.toThrow()
  await network.transport().listen(B, PORT, () => {})
  const again = await network.transport().connect(A, B, PORT, never)
  expect(again.remoteAddress).toBe(B)
  await clock.settle()
})

test('closing a listener closes what it accepted', async () => {
  const { clock, client, listener } = await tcpPair()
  const at = reading(client)
  await listener.close()
  await clock.settle()
  expect(at.ended).toBe(true)
})
