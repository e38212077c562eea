// The audit as a stream: lines of one chain, written to where somebody collects them (standard output of a pod). The
// stream cannot be read back, so the head of its chain is a record: the next process goes on from there, and whoever
// holds the lines sees by their numbers and hashes whether some are missing (base/chained-log.ts says how).
import { bodiesOf, CHAIN_START, type ChainHead, chainLines } from '../base/chained-log.ts'
import type { Clock, Timer } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { RecordStore } from '../controllers/ports/store.ts'
import type { AuditLog } from './audit.ts'

/** Value: the head of the chain as last checkpointed. */
export const AUDIT_HEAD_RECORD = 'audit/head'
/** A head waits this long for later ones: a busy fleet writes two a minute, a calm one none. */
export const CHECKPOINT_MS = 30_000

export interface AuditStreamOptions {
  records: Pick<RecordStore, 'get' | 'put'>
  clock: Clock
  log: Logger
  /** Who writes: in every line. Another one for every process, so that two histories of one are never honest. */
  instance: string
  /** Resolves when the bytes are out of this process's hands. */
  write(bytes: Uint8Array): Promise<void>
}

export interface AuditStream extends AuditLog {
  head(): ChainHead
  /** Writes the head now, if it has moved. Rejects when it cannot be recorded. */
  checkpoint(): Promise<void>
}

/**
 * Goes on from the head that is recorded. After a process that ended without a word there may be lines in the stream
 * beyond it: they and ours bear the same numbers, follow from the same line, and say by their `instance` whose they are.
 */
export function auditStream(options: AuditStreamOptions, signal: AbortSignal): AuditStream {
  const { records, clock, log, write, instance } = options
  let head = (records.get(AUDIT_HEAD_RECORD)?.value as ChainHead | undefined) ?? CHAIN_START
  let recorded = head
  let timer: Timer | undefined
  let turn: Promise<unknown> = Promise.resolve()
  signal.addEventListener('abort', () => timer?.cancel(), { once: true })

  const checkpoint = async (): Promise<void> => {
    timer?.cancel()
    timer = undefined
    const now = head
    if (now.hash === recorded.hash) return
    await records.put(AUDIT_HEAD_RECORD, now, records.get(AUDIT_HEAD_RECORD)?.version ?? 0)
    recorded = now
  }
  const soon = (): void => {
    if (timer || signal.aborted) return
    timer = clock.after(CHECKPOINT_MS, () => {
      timer = undefined
      checkpoint().catch((error: unknown) => {
        log.warn({ error: String(error) }, 'the head of the audit could not be recorded')
        soon()
      })
    })
  }
  return {
    head: () => head,
    checkpoint,
    appendAll(entries) {
      const run = turn.then(async () => {
        const next = chainLines(head, bodiesOf(entries.map((entry) => ({ ...entry, instance }))))
        await write(next.bytes)
        head = next.head
        soon()
        return head
      })
      turn = run.catch(() => undefined)
      return run
    },
  }
}
