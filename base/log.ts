import { type Logger as PinoLogger, pino } from 'pino'

/** pino's shape: `log.info({ node }, 'text')`. Never give it a key, a tag's key or `wg show dump` output. */
export type Logger = Pick<PinoLogger, 'trace' | 'debug' | 'info' | 'warn' | 'error'> & {
  child(bindings: Record<string, unknown>): Logger
}

export interface LogOptions {
  level?: string
  /** `json` for machines; `text` for people. Default: json. */
  format?: 'json' | 'text'
  /** Where lines go; default: standard error. */
  write?: (line: string) => void
}

const LEVEL: Record<number, string> = { 10: 'TRACE', 20: 'DEBUG', 30: 'INFO', 40: 'WARN', 50: 'ERROR' }

/** One line for people: time, level, message, then the remaining fields as key=value. */
function textLine(json: string): string {
  const { level, time, msg, ...rest } = JSON.parse(json) as Record<string, unknown>
  const fields = Object.entries(rest).map(([k, v]) => `${k}=${typeof v === 'string' ? v : JSON.stringify(v)}`)
  return `${new Date(time as number).toISOString()} ${(LEVEL[level as number] ?? '').padEnd(5)} ${String(msg ?? '')}${fields.length ? ` ${fields.join(' ')}` : ''}\n`
}

export function createLogger(options: LogOptions = {}, onChild: (child: PinoLogger) => void = () => {}): Logger {
  const out = options.write ?? ((line: string) => void process.stderr.write(line))
  return pino(
    { level: options.level ?? 'info', base: null, onChild },
    { write: (line: string) => out(options.format === 'text' ? textLine(line) : line) },
  ) as Logger
}

/** A logger whose level, and that of every child made of it, can be changed while it is in use. */
export function levelledLogger(options: LogOptions = {}): { log: Logger; setLevel(level: string): void } {
  const loggers: WeakRef<PinoLogger>[] = []
  const log = createLogger(options, (child) => loggers.push(new WeakRef(child))) as PinoLogger
  loggers.push(new WeakRef(log))
  return {
    log: log as Logger,
    setLevel(level) {
      for (const one of loggers) {
        const logger = one.deref()
        if (logger) logger.level = level
      }
    },
  }
}

export function silentLogger(): Logger {
  return pino({ level: 'silent' }) as Logger
}
