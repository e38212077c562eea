// What a verb may touch of the terminal and the process; replaced in tests.
import { readFile } from 'node:fs/promises'
import { type Clock, systemClock } from '../base/clock.ts'

export interface Io {
  out(text: string): void
  err(text: string): void
  /** Standard output is a terminal. */
  terminal: boolean
  /** Width of the terminal in columns. */
  columns(): number
  color: boolean
  env: Readonly<Record<string, string | undefined>>
  cwd: string
  clock: Clock
  /** Aborts when the person asks to stop. */
  signal: AbortSignal
  /** From now on SIGHUP calls this, and asks nobody to stop: what a service reads its configuration again at. */
  onHangup(listener: () => void): void
  /** Ends the process without waiting for anything: what it had under way must not be finished. */
  exitNow(code: number): void
  /** All of standard input. */
  stdin(): Promise<string>
  /** A file, or `-` for standard input. */
  read(path: string): Promise<string>
}

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

export function processIo(signal: AbortSignal, onHangup: Io['onHangup']): Io {
  const terminal = process.stdout.isTTY === true
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    terminal,
    columns: () => process.stdout.columns ?? 80,
    // https://no-color.org: set and not empty means no colour.
    color: terminal && !process.env.NO_COLOR && process.env.TERM !== 'dumb',
    env: process.env,
    cwd: process.cwd(),
    clock: systemClock(),
    signal,
    onHangup,
    exitNow: (code) => process.exit(code),
    stdin: readStdin,
    read: (path) => (path === '-' ? readStdin() : readFile(path, 'utf8')),
  }
}
