// The one way to run another program to its end. Long-lived ones (QEMU, wireguard-go) have their own spawn, because
// they must outlive us.
import { execa } from 'execa'
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

export function systemProcesses(): Processes {
  return {
    async run(command, args, options = {}) {
      const timeoutMs = options.timeoutMs ?? TIMEOUT_MS
      options.signal?.throwIfAborted()
      const result = await execa(command, args, {
        reject: false,
        stripFinalNewline: false,
        maxBuffer: MAX_OUTPUT_BYTES,
        timeout: timeoutMs,
        killSignal: 'SIGKILL',
        ...(options.input !== undefined ? { input: options.input } : { stdin: 'ignore' as const }),
        ...(options.env && { env: options.env }),
        ...(options.cwd !== undefined && { cwd: options.cwd }),
        ...(options.signal && { cancelSignal: options.signal }),
      })
      options.signal?.throwIfAborted()
      if (result.timedOut) throw new PpnError('ProgramTimedOut', { command, ms: timeoutMs })
      if (result.exitCode !== undefined) {
        return { exitCode: result.exitCode, stdout: String(result.stdout ?? ''), stderr: String(result.stderr ?? '') }
      }
      if (result.code === 'ENOENT') throw new PpnError('ProgramMissing', { command })
      throw new PpnError('ProgramKilled', { command, signal: result.signal ?? result.code ?? 'unknown' })
    },
  }
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
