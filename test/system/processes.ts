// Real processes, as a person would start them; each is ended by the id it was given.
import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
}

export interface Running {
  pid: number
  /** Both streams as they came. */
  output(): string
  stdout(): string
  stderr(): string
  write(text: string): void
  /** Resolves with the output from `from` on, once it matches. Rejects when the process ends first, or too late. */
  until(pattern: RegExp, options?: { from?: number; withinMs?: number }): Promise<string>
  kill(signal: NodeJS.Signals): void
  ended: Promise<Ended>
}

export interface RunOptions {
  cwd: string
  env: NodeJS.ProcessEnv
}

const LOOK_MS = 25
const WITHIN_MS = 30_000

export function start(file: string, args: readonly string[], options: RunOptions): Running {
  return follow(spawn(file, args, { ...options, stdio: ['pipe', 'pipe', 'pipe'] }))
}

/** What was started elsewhere, with pipes for all three streams. */
export function follow(child: ChildProcess): Running {
  let both = ''
  let out = ''
  let err = ''
  let over = false
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    both += text
    out += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    both += text
    err += text
  })
  child.stdin?.on('error', () => {})
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      over = true
      resolve({ code, signal })
    })
  })
  ended.catch(() => {})
  return {
    pid: child.pid as number,
    output: () => both,
    stdout: () => out,
    stderr: () => err,
    write: (text) => void child.stdin?.write(text),
    async until(pattern, { from = 0, withinMs = WITHIN_MS } = {}) {
      const deadline = Date.now() + withinMs
      for (;;) {
        const text = both.slice(from)
        if (pattern.test(text)) return text
        if (over) throw new Error(`it ended without ${pattern}:\n${both}`)
        if (Date.now() > deadline) throw new Error(`no ${pattern} within ${withinMs} ms:\n${both}`)
        await sleep(LOOK_MS)
      }
    },
    kill: (signal) => void child.kill(signal),
    ended,
  }
}

export interface Result {
  code: number | null
  out: string
  err: string
}

/** Runs to the end. */
export async function run(file: string, args: readonly string[], options: RunOptions): Promise<Result> {
  const running = start(file, args, options)
  const { code } = await running.ended
  return { code, out: running.stdout(), err: running.stderr() }
}

/** Processes whose environment holds `mark`: what a test started, and everything that came of it. */
export function processesOf(mark: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(mark)
      } catch {
        return false
      }
    })
    .map(Number)
}

export function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}

/** Ends what is left of a test by id. */
export async function endAll(mark: string): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    for (const pid of processesOf(mark)) {
      try {
        process.kill(pid, signal)
      } catch {
        // It ended by itself meanwhile.
      }
    }
    for (let i = 0; i < 80 && processesOf(mark).length > 0; i++) await sleep(LOOK_MS * 2)
  }
}
