// The one way to run another program to its end. Long-lived ones (QEMU, wireguard-go) have their own spawn, because
// they must outlive us.
import { spawn } from 'node:child_process'
import { PpnError } from './errors.ts'

export interface RunOptions {
  /** Standard input; keys go in here, never into `args` (law 10). */
  input?: string | Uint8Array
  /** Added to our own environment. */
  env?: Record<string, string>
  cwd?: string
  /** Killed after this; 10 s by default. */
  timeoutMs?: number
  signal?: AbortSignal
}

export interface Ran {
  exitCode: number
  stdout: string
  stderr: string
}

export interface Processes {
  /**
   * Runs `command` without a shell and resolves with what it said, whatever its exit code. Rejects with PpnError
   * ProgramMissing when there is no such program, ProgramTimedOut when it took too long, ProgramKilled when a signal
   * ended it, and with the abort's reason. Nothing it printed is logged here: `wg show dump` prints keys.
   */
  run(command: string, args: string[], options?: RunOptions): Promise<Ran>
}

const TIMEOUT_MS = 10_000
/** `wg show dump` of a hub with 254 peers is 50 kB. */
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024

/** By node:child_process and nothing around it: 5 MiB of an agent's memory were a library's. */
export function systemProcesses(): Processes {
  return {
    async run(command, args, options = {}) {
      const { timeoutMs = TIMEOUT_MS, signal } = options
      signal?.throwIfAborted()
      const ended = await runToEnd(command, args, { ...options, timeoutMs })
      signal?.throwIfAborted()
      if (ended.late) throw new PpnError('ProgramTimedOut', { command, ms: timeoutMs })
      if (ended.error?.code === 'ENOENT') throw new PpnError('ProgramMissing', { command })
      const { exitCode, stdout, stderr } = ended
      if (exitCode !== null) return { exitCode, stdout, stderr }
      throw new PpnError('ProgramKilled', { command, signal: ended.signal ?? ended.error?.code ?? 'unknown' })
    },
  }
}

interface Ended extends Omit<Ran, 'exitCode'> {
  exitCode: number | null
  signal: NodeJS.Signals | null
  /** We killed it after its time. */
  late: boolean
  error?: NodeJS.ErrnoException
}

function runToEnd(command: string, args: string[], options: RunOptions & { timeoutMs: number }): Promise<Ended> {
  const { input, env, cwd, timeoutMs, signal } = options
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      ...(env && { env: { ...process.env, ...env } }),
      ...(cwd !== undefined && { cwd }),
    })
    const said: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] }
    let bytes = 0
    let late = false
    let error: NodeJS.ErrnoException | undefined
    const kill = () => {
      child.kill('SIGKILL')
      // Whom it started may hold the other ends for ever.
      child.stdout?.destroy()
      child.stderr?.destroy()
    }
    const timer = setTimeout(() => {
      late = true
      kill()
    }, timeoutMs)
    signal?.addEventListener('abort', kill, { once: true })
    for (const name of ['stdout', 'stderr'] as const)
      child[name]?.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes <= MAX_OUTPUT_BYTES) said[name].push(chunk)
        else kill()
      })
    // A program that reads none of its input is no failure of ours.
    child.stdin?.on('error', () => {}).end(input)
    child.once('error', (failed: NodeJS.ErrnoException) => {
      error = failed
      if (child.pid === undefined) end(null, null)
    })
    const end = (exitCode: number | null, by: NodeJS.Signals | null) => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', kill)
      const text = (name: 'stdout' | 'stderr') => Buffer.concat(said[name]).toString()
      resolve({ exitCode, signal: by, late, stdout: text('stdout'), stderr: text('stderr'), ...(error && { error }) })
    }
    child.once('close', end)
  })
}

/** `run`, for a program whose failure is ours: rejects with PpnError ProgramFailed, its last words included. */
export async function runOk(
  processes: Processes,
  command: string,
  args: string[],
  options?: RunOptions,
): Promise<string> {
  const { exitCode, stdout, stderr } = await processes.run(command, args, options)
  if (exitCode === 0) return stdout
  const said = stderr.trim().split('\n').slice(-3).join(' / ')
  throw new PpnError('ProgramFailed', { command: [command, ...args.slice(0, 4)].join(' '), exitCode, said })
}
