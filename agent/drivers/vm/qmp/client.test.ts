import { mkdtempSync, rmSync } from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { virtualClock } from '../../../../testing/virtual-clock.ts'
import { connectQmp, type QmpEvent, QmpGone, QmpRefused } from './client.ts'

const GREETING =
  '{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian"}, "capabilities": ["oob"]}}'

let folder: string
let server: net.Server
const clock = virtualClock()

beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'ppn-qmp-'))
})
afterEach(() => {
  server.close()
  rmSync(folder, { recursive: true })
})

type Answer = (command: { execute: string; id: number; arguments?: unknown }, socket: net.Socket) => void

/** A QEMU that says what it is told to. */
async function qemu(answer: Answer, greeting = `${GREETING}\r\n`) {
  const sockets: net.Socket[] = []
  server = net.createServer((socket) => {
    sockets.push(socket)
    socket.write(greeting)
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => {
      for (const line of text.trim().split('\n')) answer(JSON.parse(line), socket)
    })
    socket.on('error', () => {})
  })
  const socketPath = path.join(folder, 'qmp')
  await new Promise<void>((resolve) => server.listen(socketPath, resolve))
  const events: QmpEvent[] = []
  const connect = () =>
    connectQmp({ path: socketPath, clock, onEvent: (event) => events.push(event), timeoutMs: 10_000 })
  return { connect, events, sockets }
}
const returning =
  (value: unknown): Answer =>
  ({ id }, socket) =>
    void socket.write(`${JSON.stringify({ return: value, id })}\r\n`)
/** Real sockets under a virtual clock: turns of the event loop, not time. */
async function until(check: () => boolean): Promise<void> {
  for (let turns = 0; turns < 10_000 && !check(); turns++) await new Promise((resolve) => setImmediate(resolve))
  expect(check()).toBe(true)
}

test('it negotiates first, and every command has an id of its own', async () => {
  const seen: unknown[] = []
  const { connect } = await qemu((command, socket) => {
    seen.push(command)
    returning({ status: 'running' })(command, socket)
  })
  const qmp = await connect()
  expect(await qmp.execute('query-status')).toEqual({ status: 'running' })
  await qmp.execute('balloon', { value: 1 })
  expect(seen).toEqual([
    { execute: 'qmp_capabilities', id: 1 },
    { execute: 'query-status', id: 2 },
    { execute: 'balloon', id: 3, arguments: { value: 1 } },
  ])
  qmp.close()
})

test('answers find their askers in whatever order they come, with events in between', async () => {
  const asked: { execute: string; id: number }[] = []
  const { connect, events } = await qemu((command, socket) => {
    if (command.execute === 'qmp_capabilities') return returning({})(command, socket)
    asked.push(command)
    if (asked.length < 2) return
    for (const { execute, id } of asked.toReversed())
      socket.write(
        `{"timestamp":{"seconds":1,"microseconds":2},"event":"STOP"}\r\n{"return":"${execute}","id":${id}}\r\n`,
      )
  })
  const qmp = await connect()
  expect(await Promise.all([qmp.execute('a'), qmp.execute('b')])).toEqual(['a', 'b'])
  expect(events).toEqual([
    { event: 'STOP', data: {} },
    { event: 'STOP', data: {} },
  ])
  qmp.close()
})

test('an answer cut into single bytes is one answer', async () => {
  const { connect } = await qemu((command, socket) => {
    for (const byte of Buffer.from(`{"return":{"é":1},"id":${command.id}}\r\n`)) socket.write(Buffer.of(byte))
  })
  const qmp = await connect()
  expect(await qmp.execute('x')).toEqual({ é: 1 })
  qmp.close()
})

test('a refusal is told with class and words, and the connection goes on', async () => {
  const { connect } = await qemu((command, socket) =>
    command.execute === 'balloon'
      ? void socket.write(`{"error":{"class":"GenericError","desc":"no balloon"},"id":${command.id}}\n`)
      : returning({})(command, socket),
  )
  const qmp = await connect()
  await expect(qmp.execute('balloon')).rejects.toThrow(new QmpRefused('GenericError: no balloon'))
  expect(await qmp.execute('cont')).toEqual({})
  qmp.close()
})

test('no greeting, as when another client has the socket, is an end after the time allowed', async () => {
  const { connect, sockets } = await qemu(returning({}), '')
  const connecting = connect()
  const failed = expect(connecting).rejects.toThrow('no answer to the greeting within 10000 ms')
  await until(() => sockets.length === 1)
  await clock.advance(10_000)
  await failed
})

test('a command without an answer ends the connection: what QEMU did is not known', async () => {
  const { connect } = await qemu((command, socket) => {
    if (command.execute === 'qmp_capabilities') returning({})(command, socket)
  })
  const qmp = await connect()
  const failed = [
    expect(qmp.execute('cont')).rejects.toThrow(QmpGone),
    expect(qmp.execute('stop')).rejects.toThrow(QmpGone),
  ]
  await clock.advance(10_000)
  await Promise.all(failed)
  expect(qmp.gone.aborted).toBe(true)
  await expect(qmp.execute('cont')).rejects.toThrow(QmpGone)
})

test('QEMU going away rejects what is asked', async () => {
  const { connect } = await qemu((command, socket) =>
    command.execute === 'quit' ? void socket.end() : returning({})(command, socket),
  )
  const qmp = await connect()
  await expect(qmp.execute('quit')).rejects.toThrow(QmpGone)
  expect(qmp.gone.aborted).toBe(true)
})

test.each([
  ['no JSON', 'hello\r\n'],
  ['no object', '[1]\r\n'],
  ['neither answer nor event', '{"hello":1}\r\n'],
  ['an answer with an id that is no number', '{"return":{},"id":"x"}\r\n'],
])('a line that is %s ends the connection', async (_, line) => {
  const { connect } = await qemu((command, socket) =>
    command.execute === 'qmp_capabilities' ? returning({})(command, socket) : void socket.write(line),
  )
  const qmp = await connect()
  await expect(qmp.execute('query-status')).rejects.toThrow(QmpGone)
})

test('a line without an end is not kept for ever', async () => {
  const { connect } = await qemu((command, socket) =>
    command.execute === 'qmp_capabilities'
      ? returning({})(command, socket)
      : void socket.write('x'.repeat(2 * 1024 * 1024)),
  )
  const qmp = await connect()
  await expect(qmp.execute('query-status')).rejects.toThrow('a line without an end')
})

test('where there is no socket nobody is reached', async () => {
  const { connect } = await qemu(returning({}))
  await new Promise((resolve) => server.close(resolve))
  await expect(connect()).rejects.toThrow(QmpGone)
})
