// A long-lived program of the test cluster: started, stopped, frozen; its output kept in a file.
import { type ChildProcess, spawn } from 'node:child_process'
import { openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'

/** SIGTERM, then SIGKILL. */
const GRACE_MS = 10_000
const LAST_WORDS = 2_000

export interface Child {
  readonly pid: number
  /** What it printed last: why it ended. */
  lastWords(): Promise<string>
  ended(): boolean
  /** null: it runs, or a signal ended it. */
  exitCode(): number | null
  /** Ends it; resolves when it is gone. */
  stop(signal?: NodeJS.Signals): Promise<void>
  /** SIGSTOP: it is there, and does nothing. */
  freeze(): void
  thaw(): void
}

export function startChild(program: string, args: readonly string[], logFile: string): Child {
  const log = openSync(logFile, 'a')
  const child: ChildProcess = spawn(program, args, { stdio: ['ignore', log, log] })
  let over = false
  const gone = new Promise<void>((resolve) => {
    const end = () => {
      over = true
      resolve()
    }
    child.once('exit', end)
    child.once('error', end)
  })
  return {
    pid: child.pid ?? 0,
    ended: () => over,
    exitCode: () => child.exitCode,
    lastWords: async () => (await readFile(logFile, 'utf8').catch(() => '')).slice(-LAST_WORDS),
    async stop(signal = 'SIGTERM') {
      if (over) return
      child.kill(signal)
      const force = setTimeout(() => child.kill('SIGKILL'), GRACE_MS)
      await gone
      clearTimeout(force)
    },
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
  }
}
