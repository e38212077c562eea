// One QMP connection (docs/interop/qmp-spec.txt of QEMU 7.2): greeting, capabilities, then commands with an id each;
// events come in between. QEMU serves one client a socket: a second one gets no greeting, which is a timeout here.
import net from 'node:net'
import { z } from 'zod'
import type { Clock } from '../../../../base/clock.ts'
import { jsonLines } from './lines.ts'

/** The main loop of a busy QEMU answers late, but not this late. */
const TIMEOUT_MS = 10_000

const greeting = z.object({ QMP: z.object({ version: z.object({ qemu: z.record(z.string(), z.int()) }) }) })
const event = z.object({ event: z.string(), data: z.record(z.string(), z.unknown()).default({}) })
const answer = z.object({
  id: z.int(),
  return: z.unknown().optional(),
  error: z.object({ class: z.string(), desc: z.string() }).optional(),
})

export interface QmpEvent {
  event: string
  data: Record<string, unknown>
}

export interface Qmp {
  /** What the command returned. Rejects with QmpRefused, or with QmpGone when no answer can come any more. */
  execute(command: string, args?: Record<string, unknown>): Promise<unknown>
  /** Aborted when the connection has ended, whoever ended it. */
  readonly gone: AbortSignal
  close(): void
}

/** QEMU's answer is an error. */
export class QmpRefused extends Error {}
/** No connection, no answer in time, or an answer that is none. */
export class QmpGone extends Error {}

export interface QmpOptions {
  path: string
  clock: Clock
  onEvent(event: QmpEvent): void
  timeoutMs?: number
}

interface Waiting {
  resolve(value: unknown): void
  reject(error: Error): void
}

/** Resolves when commands can be given. Rejects with QmpGone: no such socket, nobody there, or no greeting in time. */
export async function connectQmp(options: QmpOptions): Promise<Qmp> {
  const { clock, timeoutMs = TIMEOUT_MS } = options
  const gone = new AbortController()
  const waiting = new Map<number, Waiting>()
  let lastId = 0
  let greeted: (() => void) | undefined
  const socket = net.createConnection({ path: options.path })
  socket.setEncoding('utf8')

  const end = (why: string): void => {
    if (gone.signal.aborted) return
    gone.abort(new QmpGone(why))
    socket.destroy()
    for (const { reject } of waiting.values()) reject(new QmpGone(why))
    waiting.clear()
  }
  const take = (line: Record<string, unknown>): void => {
    const told = event.safeParse(line)
    if (told.success) {
      options.onEvent(told.data)
      return
    }
    const answered = answer.safeParse(line)
    if (answered.success) {
      const { id, error } = answered.data
      // An answer that came too late has nobody waiting.
      const asker = waiting.get(id)
      waiting.delete(id)
      if (error) asker?.reject(new QmpRefused(`${error.class}: ${error.desc}`))
      else asker?.resolve(answered.data.return)
      return
    }
    if (greeting.safeParse(line).success) greeted?.()
    else end('a line that is neither answer nor event')
  }
  const feed = jsonLines(take)
  socket.on('data', (text: string) => {
    try {
      feed(text)
    } catch (error) {
      end(String(error))
    }
  })
  socket.on('error', (error) => end(String(error)))
  socket.on('close', () => end('the connection was closed'))

  /** Rejects when the connection ends or the time is over, and ends the connection then: its state is unknown. */
  const within = <T>(what: string, begin: (resolve: (value: T) => void, reject: (error: Error) => void) => void) =>
    new Promise<T>((resolve, reject) => {
      if (gone.signal.aborted) return reject(gone.signal.reason)
      const timer = clock.after(timeoutMs, () => end(`no answer to ${what} within ${timeoutMs} ms`))
      const settled = () => {
        timer.cancel()
        gone.signal.removeEventListener('abort', onGone)
      }
      const onGone = () => {
        settled()
        reject(gone.signal.reason)
      }
      gone.signal.addEventListener('abort', onGone, { once: true })
      begin(
        (value) => {
          settled()
          resolve(value)
        },
        (error) => {
          settled()
          reject(error)
        },
      )
    })

  const execute = (command: string, args?: Record<string, unknown>): Promise<unknown> =>
    within(command, (resolve, reject) => {
      const id = ++lastId
      waiting.set(id, { resolve, reject })
      socket.write(`${JSON.stringify({ execute: command, id, ...(args && { arguments: args }) })}\n`)
    })

  await within<void>('the greeting', (resolve) => {
    greeted = resolve
  })
  await execute('qmp_capabilities')
  return { execute, gone: gone.signal, close: () => end('closed by us') }
}
