// Real sockets on 127.0.0.0/8.
import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { virtualClock } from '../testing/virtual-clock.ts'
import type { Clock } from './clock.ts'
import { loopbackTransport } from './loopback-transport.ts'
import type { Connection } from './transport.ts'

const SERVER = '10.93.7.1'
const CLIENT = '10.93.7.2'
const never = new AbortController().signal
const transport = loopbackTransport({ firstOctet: 10 })
const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

/** Ports of ours are below the ephemeral range; one in use is passed over. */
async function onFreePort<T>(open: (port: number) => Promise<T>): Promise<{ port: number; opened: T }> {
  for (let port = 21_000 + Math.floor(Math.random() * 9000); ; port++) {
    try {
      return { port, opened: await open(port) }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    }
  }
}

async function listening() {
  const accepted: Connection[] = []
  let wake = () => {}
  const { port, opened } = await onFreePort((at) =>
    transport.listen(SERVER, at, (connection) => {
      accepted.push(connection)
      wake()
    }),
  )
  closers.push(() => opened.close())
  const next = async () => {
    while (accepted.length === 0) await new Promise<void>((resolve) => (wake = resolve))
    return accepted.shift() as Connection
  }
  return { port, listener: opened, next }
}

async function pair() {
  const { port, listener, next } = await listening()
  const client = await transport.connect(CLIENT, SERVER, port, never)
  closers.push(() => client.destroy())
  return { client, server: await next(), port, listener }
}

async function readAll(connection: Connection): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of connection.stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

test('a datagram comes from the mesh address it was sent from', async () => {
  const got: [string, string][] = []
  let wake = () => {}
  const { port, opened: receiver } = await onFreePort((at) =>
    transport.bindUdp(SERVER, at, (bytes, from) => {
      got.push([Buffer.from(bytes).toString('utf8'), from])
      wake()
    }),
  )
  closers.push(() => receiver.close())
  const sender = await transport.bindUdp(CLIENT, port, () => {})
  closers.push(() => sender.close())
  await sender.send(Buffer.from('hello'), SERVER, port)
  while (got.length === 0) await new Promise<void>((resolve) => (wake = resolve))
  expect(got).toEqual([['hello', CLIENT]])
})

test('a send the kernel refuses rejects, and so does one after close', async () => {
  const { port, opened: socket } = await onFreePort((at) => transport.bindUdp(CLIENT, at, () => {}))
  await expect(socket.send(new Uint8Array(70_000), SERVER, port)).rejects.toMatchObject({ code: 'EMSGSIZE' })
  socket.close()
  socket.close()
  await expect(socket.send(new Uint8Array(1), SERVER, port)).rejects.toThrow()
})

test('a connection dials from the address given, and both sides name the other by mesh address', async () => {
  const { client, server } = await pair()
  expect(server.remoteAddress).toBe(CLIENT)
  expect(client.remoteAddress).toBe(SERVER)
})

test('each side can end its own direction at once and go on reading', async () => {
  const { client, server } = await pair()
  server.stream.end()
  expect(await readAll(client)).toBe('')
  client.stream.write('still ')
  await turn()
  client.stream.end('here')
  expect(await readAll(server)).toBe('still here')
})

test('closing a listener closes what it accepted and frees the port', async () => {
  const { client, listener, port } = await pair()
  await listener.close()
  client.stream.resume()
  await once(client.stream, 'end')
  const again = await transport.listen(SERVER, port, () => {})
  await again.close()
})

test('a peer that is gone ends the connection, not the process: on the diode, once it is written to', async () => {
  const { client, server } = await pair()
  server.stream.end()
  client.stream.resume()
  await once(client.stream, 'end')
  server.destroy()
  while (!client.stream.destroyed) {
    client.stream.write('to nobody')
    await turn()
  }
})

test('a dial is refused where nobody listens', async () => {
  const { port, listener } = await listening()
  await listener.close()
  await expect(transport.connect(CLIENT, SERVER, port, never)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
})

test('a dial ends with the reason of its signal, before or during', async () => {
  const { port } = await listening()
  await expect(transport.connect(CLIENT, SERVER, port, AbortSignal.abort(new Error('early')))).rejects.toThrow('early')
  const stop = new AbortController()
  const dialling = transport.connect(CLIENT, SERVER, port, stop.signal)
  stop.abort(new Error('enough'))
  await expect(dialling).rejects.toThrow('enough')
})

test('a dial that is not answered ends after 10 s of the clock', async () => {
  const waits: number[] = []
  // A clock whose timers fall due before the event loop can see an answer.
  const clock: Clock = {
    ...virtualClock(),
    after(ms, fn) {
      waits.push(ms)
      queueMicrotask(fn)
      return { cancel() {} }
    },
  }
  const { port } = await listening()
  const dialling = loopbackTransport({ clock }).connect(CLIENT, SERVER, port, never)
  await expect(dialling).rejects.toMatchObject({ code: 'ConnectTimedOut' })
  expect(waits).toEqual([10_000])
})

test('an address of another first octet is refused, not sent elsewhere', async () => {
  await expect(transport.connect('192.168.0.1', SERVER, 1, never)).rejects.toMatchObject({ code: 'AddressOutsideMesh' })
  await expect(transport.listen('127.0.0.1', 1, () => {})).rejects.toMatchObject({ code: 'AddressOutsideMesh' })
  const other = loopbackTransport({ firstOctet: 192 })
  const { opened } = await onFreePort((at) => other.bindUdp('192.93.7.1', at, () => {}))
  opened.close()
})
