// What a service tells systemd: sd_notify(3). Node has no datagram sockets of the Unix family, so systemd-notify(1)
// carries the words; hence `NotifyAccess=all` in the unit.
import type { Clock } from './clock.ts'
import type { Logger } from './log.ts'
import type { Processes } from './processes.ts'

export interface ServiceManager {
  /** How soon a sign of life is due, in milliseconds; undefined: nobody waits for one. */
  readonly watchdogMs: number | undefined
  /** Each resolves when systemd has been told, or at once without it. Never rejects: a word that is lost is logged. */
  ready(status: string): Promise<void>
  status(text: string): Promise<void>
  stopping(): Promise<void>
  aliveSign(): Promise<void>
}

export interface ServiceManagerOptions {
  processes: Processes
  log: Logger
  /** Of this process: NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID. */
  env: Readonly<Record<string, string | undefined>>
  pid: number
}

export function serviceManager({ processes, log, env, pid }: ServiceManagerOptions): ServiceManager {
  const socket = env.NOTIFY_SOCKET
  const watched = socket !== undefined && (env.WATCHDOG_PID === undefined || env.WATCHDOG_PID === String(pid))
  const microseconds = Number(env.WATCHDOG_USEC)
  const tell = async (...words: string[]): Promise<void> => {
    if (socket === undefined) return
    try {
      const { exitCode, stderr } = await processes.run('systemd-notify', words, { env: { NOTIFY_SOCKET: socket } })
      if (exitCode !== 0) log.warn({ said: stderr.trim() }, 'systemd could not be told')
    } catch (error) {
      log.warn({ err: String(error) }, 'systemd could not be told')
    }
  }
  return {
    watchdogMs: watched && microseconds > 0 ? microseconds / 1000 : undefined,
    ready: (status) => tell('--ready', `--status=${status}`),
    status: (text) => tell(`--status=${text}`),
    stopping: () => tell('STOPPING=1'),
    aliveSign: () => tell('WATCHDOG=1'),
  }
}

/**
 * Gives a sign of life three times within the time that systemd waits, each only after `alive` said so. A loop that
 * stands still gives none, and an `alive` that never answers gives none either: systemd then ends and restarts us.
 */
export function keepWatchdog(
  options: { manager: ServiceManager; clock: Clock; log: Logger; alive(): Promise<boolean> },
  signal: AbortSignal,
): void {
  const { manager, clock, log } = options
  const { watchdogMs } = manager
  if (watchdogMs === undefined) return
  const beat = async (): Promise<void> => {
    const alive = await options.alive().catch((error) => {
      log.error({ err: String(error) }, 'no sign of life is given')
      return false
    })
    if (alive && !signal.aborted) await manager.aliveSign()
    if (!signal.aborted) timer = clock.after(watchdogMs / 3, () => void beat())
  }
  let timer = clock.after(0, () => void beat())
  signal.addEventListener('abort', () => timer.cancel(), { once: true })
}
