// wireguard-go, where the kernel has no WireGuard. It is a session of its own with its streams in a file, so it
// survives the agent, and is found again by pid and start time: a pid alone may have become somebody else.
import { spawn } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import type { Clock } from '../../../../base/clock.ts'
import { PpnError } from '../../../../base/errors.ts'

/** Where wg(8) looks; built into it. It belongs to the mount namespace, not to the network namespace. */
const SOCKETS = '/var/run/wireguard'
const START_WITHIN_MS = 10_000
const LOOK_EVERY_MS = 10
/** It ends by itself when its interface goes; after this it is killed. */
const END_WITHIN_MS = 1_000
const LOG_BYTES = 1024 * 1024

export interface TunnelDaemon {
  /** Resolves when the interface is there and can be configured. Rejects with ProgramMissing or TunnelDaemonFailed. */
  start(name: string): Promise<void>
  /** Does the daemon that we once started for this interface still run? */
  runs(name: string): boolean
  /** Resolves when it has gone, with its socket and its files. Nothing happens to a daemon that is not ours. */
  end(name: string): Promise<void>
  /** Its log begins anew when it has grown too long: an unreachable peer costs a line every few seconds. */
  trimLog(name: string): void
}

export function wireguardGo(options: {
  clock: Clock
  /** Pid files and logs, mode 0700. */
  runFolder: string
  env?: Record<string, string>
}): TunnelDaemon {
  const { clock, runFolder } = options
  const socket = (name: string) => path.join(SOCKETS, `${name}.sock`)
  const pidFile = (name: string) => path.join(runFolder, `${name}.pid`)
  const logFile = (name: string) => path.join(runFolder, `${name}.log`)

  const ours = (name: string): number | undefined => {
    const [pid, started] = readOr(pidFile(name), '').trim().split(' ')
    return pid && started && startOf(Number(pid)) === started ? Number(pid) : undefined
  }

  const end = async (name: string): Promise<void> => {
    const pid = ours(name)
    if (pid === undefined) return tidy(name)
    signal(pid, 'SIGTERM')
    for (let waited = 0; ours(name) === pid; waited += LOOK_EVERY_MS) {
      if (waited === END_WITHIN_MS) signal(pid, 'SIGKILL')
      await clock.sleep(LOOK_EVERY_MS)
    }
    tidy(name)
  }
  /** A socket that a killed daemon left would make wg(8) wait for nobody. */
  const tidy = (name: string) => {
    if (!existsSync(pidFile(name))) return
    for (const file of [socket(name), pidFile(name), logFile(name)]) rmSync(file, { force: true })
  }

  return {
    async start(name) {
      // The old one removes its socket as it ends, and must not take the new one's.
      await end(name)
      mkdirSync(runFolder, { recursive: true, mode: 0o700 })
      const log = openSync(logFile(name), 'a', 0o600)
      const child = spawn('wireguard-go', ['--foreground', name], {
        detached: true,
        stdio: ['ignore', log, log],
        cwd: '/',
        env: { ...process.env, LOG_LEVEL: 'error', ...options.env },
      })
      closeSync(log)
      let failure: PpnError | undefined
      let ended = false
      child.once('error', (error: NodeJS.ErrnoException) => {
        ended = true
        if (error.code === 'ENOENT') failure = new PpnError('ProgramMissing', { command: 'wireguard-go' })
      })
      child.once('exit', () => {
        ended = true
      })
      child.unref()
      const started = child.pid === undefined ? undefined : startOf(child.pid)
      if (started !== undefined) writeFileSync(pidFile(name), `${child.pid} ${started}\n`, { mode: 0o600 })
      for (let waited = 0; !existsSync(socket(name)) || ended; waited += LOOK_EVERY_MS) {
        if (ended || waited >= START_WITHIN_MS) {
          const said = ended ? lastWords(logFile(name)) : `nothing within ${START_WITHIN_MS} ms`
          await end(name)
          throw failure ?? new PpnError('TunnelDaemonFailed', { name, said })
        }
        await clock.sleep(LOOK_EVERY_MS)
      }
    },
    runs: (name) => ours(name) !== undefined,
    end,
    trimLog(name) {
      // Opened for appending, so the daemon goes on at the new end.
      const size = statSync(logFile(name), { throwIfNoEntry: false })?.size ?? 0
      if (size > LOG_BYTES) truncateSync(logFile(name))
    },
  }
}

/** Field 22 of /proc/PID/stat (proc(5)); undefined: gone, or a zombie, which is gone for all but its parent. */
function startOf(pid: number): string | undefined {
  const stat = readOr(`/proc/${pid}/stat`, '')
  // The name in field 2 may hold spaces and parentheses.
  const [state, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return state === '' || state === 'Z' || state === 'X' ? undefined : rest[18]
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function readOr(file: string, otherwise: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return otherwise
  }
}

function lastWords(file: string): string {
  const lines = readOr(file, '').split('\n')
  // Beside its banner about the kernel module.
  const errors = lines.filter((line) => line.startsWith('ERROR'))
  return errors.at(-1) ?? lines.filter((line) => line !== '').at(-1) ?? 'it said nothing'
}
