// Every command, publication, refusal and confirmation, one line each, in the chained log `audit.jsonl` and its segments. Lines of
// one moment are made durable together, so that a fan-out over the whole mesh costs a few fsyncs, not one each.
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'

export const AUDIT_FILE = 'audit.jsonl'
/** A line waits this long for company before it is written. */
export const AUDIT_GROUP_MS = 50
/** Lines held while the disk refuses them; older ones are dropped, counted, and the log says so. */
const AUDIT_BACKLOG = 100_000

type AuditKind = 'command' | 'publication' | 'refusal' | 'confirmation' | 'term'

/** What the audit needs of a chained log. */
export interface AuditLog {
  /** Durable, all or nothing, in order, when it resolves. */
  appendAll(entries: readonly object[]): Promise<unknown>
}

export interface Audit {
  /** Writes a line soon; never throws and never holds the sender up. Details must be JSON. */
  record(kind: AuditKind, details: Readonly<Record<string, unknown>>): void
  /** Resolves when this line and all before it are durable; rejects when they cannot be written. */
  durable(kind: AuditKind, details: Readonly<Record<string, unknown>>): Promise<void>
  /** Resolves when everything recorded so far is durable. */
  flush(): Promise<void>
}

export function auditTo(options: { log: AuditLog; clock: Clock; logger: Logger }): Audit {
  const { log, clock, logger } = options
  let waiting: object[] = []
  let dropped = 0
  let scheduled = false
  /** The writing under way; writings never overlap, so lines keep their order. */
  let writing: Promise<void> = Promise.resolve()

  const write = async (): Promise<void> => {
    if (waiting.length === 0) return
    const lines = waiting
    waiting = []
    try {
      const lost = dropped
      await log.appendAll(lost > 0 ? [line('refusal', { what: 'AuditLost', lines: lost }), ...lines] : lines)
      dropped -= lost
    } catch (error) {
      waiting = [...lines, ...waiting]
      throw error
    }
  }
  const flush = (): Promise<void> => {
    writing = writing.then(write, write)
    return writing
  }
  const line = (kind: AuditKind, details: Readonly<Record<string, unknown>>): object => ({
    ...details,
    at: new Date(clock.now()).toISOString(),
    kind,
  })
  const schedule = (): void => {
    if (scheduled) return
    scheduled = true
    clock.after(AUDIT_GROUP_MS, () => {
      scheduled = false
      flush().catch((error: unknown) => {
        logger.error({ error: String(error), waiting: waiting.length }, 'the audit log cannot be written')
        schedule()
      })
    })
  }
  const push = (entry: object): void => {
    waiting.push(entry)
    if (waiting.length > AUDIT_BACKLOG) dropped += waiting.splice(0, waiting.length - AUDIT_BACKLOG).length
  }

  return {
    record(kind, details) {
      push(line(kind, details))
      schedule()
    },
    durable(kind, details) {
      push(line(kind, details))
      return flush()
    },
    flush,
  }
}
