// One host process as its parent sees it. Loads nothing of the agent.
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { ERRORS, type ErrorCode, PpnError } from '../../base/errors.ts'
import type { Answer, Verb } from './control.ts'

export interface HostProcess {
  readonly pid: number | undefined
  /** False once the process has ended, however it did. */
  alive(): boolean
  /** Resolves when it has ended, however it did. */
  readonly gone: Promise<void>
  /** Rejects with what the node threw, or with SimulatedHostGone. */
  call(node: string, verb: Verb, args: unknown[]): Promise<unknown>
  /** Ends it in good order; resolves when it is gone. Killed when it takes longer than 10 s. */
  stop(): Promise<void>
}

const STOP_WITHIN_MS = 10_000
/** In the package this file and the host are JavaScript. */
const HOST = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './host.ts' : './host.js', import.meta.url))

interface Pending {
  node: string
  resolve(value: unknown): void
  reject(error: Error): void
}

/** `logFile` gets what the process writes to standard error. */
export function startHostProcess(options: { logFile: string; logLevel: string }): HostProcess {
  const log = openSync(options.logFile, 'a', 0o600)
  const child = spawn(process.execPath, [HOST, '--log-level', options.logLevel], {
    stdio: ['pipe', 'pipe', log],
    // Its own process group: Ctrl-C of a terminal is for the parent, which ends the host by closing its input.
    detached: true,
  }) as ChildProcessByStdio<Writable, Readable, null>
  closeSync(log)
  const pending = new Map<number, Pending>()
  let lastId = 0
  let ended = false
  const gone = new Promise<void>((resolve) => {
    const onEnd = () => {
      ended = true
      for (const { node, reject } of pending.values()) reject(new PpnError('SimulatedHostGone', { node }))
      pending.clear()
      resolve()
    }
    child.once('exit', onEnd)
    // A process that could not be started never exits.
    child.once('error', onEnd)
  })
  // Writing to a process that has just ended fails; `exit` says what is to be said.
  child.stdin.on('error', () => {})
  createInterface({ input: child.stdout }).on('line', (line) => {
    const answer = JSON.parse(line) as Answer
    const waiting = pending.get(answer.id)
    pending.delete(answer.id)
    if ('error' in answer) waiting?.reject(errorOf(answer.error))
    else waiting?.resolve(answer.value)
  })

  return {
    pid: child.pid,
    alive: () => !ended,
    gone,
    call: (node, verb, args) =>
      new Promise((resolve, reject) => {
        if (ended) return reject(new PpnError('SimulatedHostGone', { node }))
        const id = ++lastId
        pending.set(id, { node, resolve, reject })
        child.stdin.write(`${JSON.stringify({ id, node, verb, args })}\n`)
      }),
    stop: async () => {
      child.stdin.end()
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS)
      await gone
      clearTimeout(timer)
    },
  }
}

function errorOf({ message, code, details }: { message: string; code?: string; details?: object }): Error {
  return code !== undefined && code in ERRORS ? new PpnError(code as ErrorCode, { ...details }) : new Error(message)
}
