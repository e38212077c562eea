// A configuration that changes under a running agent: what can be taken is taken at once, the rest is named.
import type { Clock, Timer } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import { type AgentConfig, parseAgentConfig } from './config.ts'

/** The file is looked at this often; SIGHUP looks at once. */
export const LOOK_EVERY_MS = 5_000

/** Settings that a running agent takes. */
const TAKEN_AT_ONCE = new Set(['log.level'])

/** Paths of the settings in which two configurations differ, e.g. `vm.user`. */
export function changedSettings(before: unknown, after: unknown, path = ''): string[] {
  if (isRecord(before) && isRecord(after)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])]
    return names.flatMap((name) => changedSettings(before[name], after[name], path ? `${path}.${name}` : name))
  }
  return JSON.stringify(before) === JSON.stringify(after) ? [] : [path]
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export interface ReloadOptions {
  read(): Promise<{ file: string; text: string }>
  /** What the agent was started with. */
  before: AgentConfig
  clock: Clock
  log: Logger
  setLevel(level: string): void
}

/** A file that is wrong, or gone, changes nothing and is complained about once. */
export function watchConfig(options: ReloadOptions, signal: AbortSignal): { look(): Promise<void> } {
  const { clock, log } = options
  let known: string | undefined
  let complaint: string | undefined
  let level: string = options.before.log.level
  let timer: Timer | undefined

  const take = (file: string, text: string): void => {
    const after = parseAgentConfig(file, text)
    if (after.log.level !== level) {
      level = after.log.level
      options.setLevel(level)
      log.info({ level }, 'log.level is taken at once')
    }
    const waiting = changedSettings(options.before, after).filter((setting) => !TAKEN_AT_ONCE.has(setting))
    if (waiting.length > 0)
      log.warn(
        { settings: waiting, file },
        'these settings wait for: systemctl restart ppn-agent (tunnels and VMs go on)',
      )
  }
  const look = async (): Promise<void> => {
    try {
      const { file, text } = await options.read()
      if (text === known) return
      known = text
      take(file, text)
    } catch (error) {
      const said = placed(error)
      if (said === complaint) return
      complaint = said
      log.error({ err: said }, 'the configuration cannot be taken; the agent goes on with what it has')
    }
  }
  const beat = async (): Promise<void> => {
    await look()
    if (!signal.aborted) timer = clock.after(LOOK_EVERY_MS, () => void beat())
  }
  void beat()
  signal.addEventListener('abort', () => timer?.cancel(), { once: true })
  return { look }
}

function placed(error: unknown): string {
  const { message, at } = error as Error & { at?: { file: string; line: number; column: number } }
  return at ? `${at.file}:${at.line}:${at.column}: ${message}` : message
}
