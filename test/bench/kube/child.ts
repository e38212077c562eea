// A contestant's process as the benchmark holds it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Contestant, Places } from './contestants.ts'

/** Kept of what a program says, for when it ends. */
const LAST_WORDS = 4_096
const GRACE_MS = 5_000

export interface Running {
  pid: number
  /** Rejects, with its last words, when the process ends before `stop`. */
  lost: Promise<never>
  stop(): Promise<void>
}

/** `built`: path of the program it needs. */
export function startContestant({ name, command }: Contestant, places: Places, built: string): Running {
  const { program, args, env } = command(places, built)
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...env } })
  const gone = once(child, 'exit')
  const end = () => void child.kill('SIGKILL')
  process.once('exit', end)
  child.once('exit', () => process.off('exit', end))
  let words = ''
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    words = (words + part).slice(-LAST_WORDS)
  })
  const lost = gone.then(([code, signal]) => Promise.reject(new Error(`${name} ended (${code ?? signal}): ${words}`)))
  lost.catch(() => {})
  return {
    pid: child.pid as number,
    lost,
    async stop() {
      child.kill('SIGTERM')
      const force = setTimeout(() => child.kill('SIGKILL'), GRACE_MS)
      await gone
      clearTimeout(force)
    },
  }
}
