// Talks to a guest over its serial console: a Unix socket of QEMU's, or a process's own streams.
import { createConnection } from 'node:net'
import type { Readable, Writable } from 'node:stream'

export interface GuestConsole {
  /** Resolves with the guest's seconds of uptime when it is up. */
  ready(withinMs?: number): Promise<number>
  /** One command; resolves with the lines of its answer. Rejects when the guest says `failed`. One at a time. */
  ask(command: string, withinMs?: number): Promise<string[]>
  /** Sends a command that has no answer, such as `panic`. */
  tell(command: string): void
  /** Resolves when the guest has said something that fits, now or earlier. */
  said(pattern: RegExp, withinMs?: number): Promise<RegExpExecArray>
  /** Everything it has said. */
  text(): string
  close(): void
}

/** Generous: TCG on a busy machine. */
const WITHIN_MS = 120_000
const ENDING = /(?:^|\n)(ok|failed) (\S+)\n/

/** Over QEMU's `-chardev socket`. The socket must be listening. */
export function socketConsole(path: string): GuestConsole {
  const socket = createConnection(path)
  return streamConsole(socket, socket, () => socket.destroy())
}

export function streamConsole(from: Readable, to: Writable, end: () => void = () => {}): GuestConsole {
  let text = ''
  /** Up to here answers have been read. */
  let read = 0
  const waiting = new Set<() => void>()
  const wake = () => {
    for (const look of waiting) look()
  }
  let over: Error | undefined
  const ended = (error?: Error) => {
    over ??= error ?? new Error('the console is closed')
    wake()
  }
  from.on('data', (bytes: Buffer) => {
    text += bytes.toString('latin1').replaceAll('\r', '')
    wake()
  })
  from.once('error', ended)
  to.on('error', ended)
  from.once('close', () => ended())

  const until = <T>(what: string, withinMs: number, find: () => T | undefined): Promise<T> =>
    new Promise((resolve, reject) => {
      const done = (settle: () => void) => {
        clearTimeout(timer)
        waiting.delete(look)
        settle()
      }
      const fail = (why: string) => done(() => reject(new Error(`${what}: ${why}; last said:\n${text.slice(-2000)}`)))
      const timer = setTimeout(() => fail(`not within ${withinMs} ms`), withinMs)
      const look = () => {
        const found = find()
        if (found !== undefined) done(() => resolve(found))
        else if (over) fail(over.message)
      }
      waiting.add(look)
      look()
    })

  return {
    ready: (withinMs = WITHIN_MS) =>
      until('the guest is up', withinMs, () => {
        const found = /ppn guest ready \S+ uptime=([\d.]+)\n/.exec(text.slice(read))
        if (!found) return undefined
        read += found.index + found[0].length
        return Number(found[1])
      }),
    async ask(command, withinMs = WITHIN_MS) {
      to.write(`${command}\n`)
      const [lines, verdict] = await until(command, withinMs, () => {
        const found = ENDING.exec(text.slice(read))
        if (!found) return undefined
        const answer = text.slice(read, read + found.index)
        read += found.index + found[0].length
        return [answer.split('\n').filter((line) => line !== ''), found[1]] as const
      })
      if (verdict === 'failed') throw new Error(`${command}: failed: ${lines.join(' / ')}`)
      return [...lines]
    },
    tell: (command) => void to.write(`${command}\n`),
    said: (pattern, withinMs = WITHIN_MS) => until(String(pattern), withinMs, () => pattern.exec(text) ?? undefined),
    text: () => text,
    close: end,
  }
}
