import type { Clock } from '../../base/clock.ts'
import { PpnError } from '../../base/errors.ts'
import type { Logger } from '../../base/log.ts'
import type { ControllerSpec, ReconcileResult } from '../ports/reconciler.ts'
import { type BackoffOptions, backoffMs, DEFAULT_BACKOFF } from './backoff.ts'
import { createDelays } from './delays.ts'
import type { History, RunRecord } from './history.ts'
import type { RuntimeMetrics } from './metrics.ts'
import { createQueue, type Priority, type QueueItem } from './queue.ts'

const DEFAULT_CONCURRENCY = 4
const DEFAULT_DEADLINE_MS = 30_000

export interface RunnerOptions {
  spec: ControllerSpec
  clock: Clock
  log: Logger
  /** Uniform in [0, 1). */
  random01: () => number
  history: History
  metrics: RuntimeMetrics
  backoff?: BackoffOptions
}

/** Runs one controller: keys come in by `add`, at most `concurrency` run at once, one run a key. */
export interface Runner {
  add(key: string, reason: string, priority?: Priority, afterMs?: number): void
  /** Begins to run what waits. Before this, keys only collect. */
  start(): void
  /** No new runs; aborts those under way and resolves when they have ended. */
  stop(): Promise<void>
  /** Nothing waits, runs or is delayed by a backoff. */
  idle(): boolean
}

interface Failures {
  count: number
  generation: number
}

export function createRunner(options: RunnerOptions): Runner {
  const { spec, clock, log, random01, history, metrics } = options
  const concurrency = spec.concurrency ?? DEFAULT_CONCURRENCY
  const queue = createQueue()
  const retries = createDelays(clock)
  const delayed = createDelays(clock)
  const failures = new Map<string, Failures>()
  const stopping = new AbortController()
  const active = new Set<Promise<void>>()
  let started = false
  let scheduled = false

  const add: Runner['add'] = (key, reason, priority = 1, afterMs = 0) => {
    if (stopping.signal.aborted) return
    if (afterMs > 0) return delayed.set(key, afterMs, () => add(key, reason, priority))
    const failed = failures.get(key)
    if (failed && failed.generation !== spec.generation(key)) {
      failures.delete(key)
      retries.clear(key)
    }
    // A key that is backing off waits for its retry: anything else would turn a stream of news into a hot loop.
    // Only a person (priority 2) is let through.
    if (retries.has(key)) {
      if (priority < 2) return
      retries.clear(key)
    }
    metrics.added(spec.name)
    queue.add(key, priority, reason, clock.monotonic())
    metrics.depth(spec.name, queue.depth)
    pump()
  }

  // One turn later, so that the adds of one event are merged before the first of them runs.
  const pump = () => {
    if (!started || scheduled || stopping.signal.aborted) return
    scheduled = true
    queueMicrotask(() => {
      scheduled = false
      while (active.size < concurrency && !stopping.signal.aborted) {
        const item = queue.take(clock.monotonic())
        if (!item) break
        const work = attempt(item)
        const run = work.ended.finally(() => {
          active.delete(run)
          metrics.active(spec.name, active.size)
          pump()
        })
        // An attempt given up at its deadline frees its worker, yet its key waits until it has really settled:
        // two runs of one key never overlap.
        void work.settled.finally(() => {
          queue.done(item.key)
          metrics.depth(spec.name, queue.depth)
          pump()
        })
        active.add(run)
        metrics.active(spec.name, active.size)
      }
    })
  }

  /** `ended`: recorded, succeeded or failed. `settled`: the reconcile itself has returned. Neither rejects. */
  const attempt = (item: QueueItem): { ended: Promise<void>; settled: Promise<void> } => {
    let settle: () => void = () => {}
    const settled = new Promise<void>((resolve) => {
      settle = resolve
    })
    return { ended: run(item, settle), settled }
  }

  const run = async (item: QueueItem, settle: () => void): Promise<void> => {
    const startMs = clock.monotonic()
    const generation = spec.generation(item.key)
    const record: RunRecord = {
      controller: spec.name,
      key: item.key,
      startedMs: clock.now(),
      queuedMs: startMs - item.sinceMs,
      tookMs: 0,
      reasons: item.reasons,
      result: 'success',
      planned: [],
      did: [],
      messages: [],
    }
    metrics.queued(spec.name, record.queuedMs / 1000)
    try {
      const result = await withDeadline(item, record, settle)
      failures.delete(item.key)
      if (result?.requeueAfterMs !== undefined) {
        record.result = 'requeue_after'
        record.detail = `again in ${Math.round(result.requeueAfterMs)} ms`
        add(item.key, 'requeued', 0, Math.max(1, result.requeueAfterMs))
      }
    } catch (error) {
      if (stopping.signal.aborted) return
      fail(item.key, generation, error, record)
    } finally {
      record.tookMs = clock.monotonic() - startMs
      history.add(record)
      metrics.reconciled(spec.name, record.result, record.tookMs / 1000)
    }
  }

  const fail = (key: string, generation: number, error: unknown, record: RunRecord) => {
    const before = failures.get(key)
    const count = before && before.generation === generation ? before.count + 1 : 1
    failures.set(key, { count, generation })
    const waitMs = backoffMs(count, random01(), options.backoff ?? DEFAULT_BACKOFF)
    record.result = 'error'
    record.detail = error instanceof Error ? error.message : String(error)
    if (!(error instanceof Error)) metrics.panicked(spec.name)
    // Somebody else wrote first: that is news to look at again, not a fault to warn of.
    const level = error instanceof PpnError && error.code === 'Conflict' ? 'debug' : 'warn'
    log[level](
      { controller: spec.name, key, attempt: count, retryInMs: Math.round(waitMs), error: record.detail },
      'reconcile failed',
    )
    metrics.retried(spec.name)
    retries.set(key, waitMs, () => add(key, `retry ${count}`))
  }

  const withDeadline = async (
    item: QueueItem,
    record: RunRecord,
    settle: () => void,
  ): Promise<ReconcileResult | undefined> => {
    const deadlineMs = spec.attemptDeadlineMs ?? DEFAULT_DEADLINE_MS
    const deadline = new AbortController()
    let overdue: (error: Error) => void = () => {}
    const late = new Promise<never>((_, reject) => {
      overdue = reject
    })
    late.catch(() => {})
    const expire = (error: Error) => {
      deadline.abort(error)
      overdue(error)
    }
    const timer = clock.after(deadlineMs, () => expire(new Error(`no result within ${deadlineMs / 1000} s`)))
    const onStop = () => deadline.abort(stopping.signal.reason)
    stopping.signal.addEventListener('abort', onStop, { once: true })
    try {
      // An attempt that ignores its signal is given up at the deadline: it must not hold a worker for ever.
      // Wrapped, so that a reconcile that throws before its first await is a failed attempt like any other.
      const work = (async () =>
        spec.reconcile({
          key: item.key,
          signal: deadline.signal,
          reasons: item.reasons,
          note(entry) {
            if (entry.planned !== undefined) record.planned.push(entry.planned)
            if (entry.did !== undefined) record.did.push(entry.did)
            if (entry.message !== undefined) record.messages.push(entry.message)
          },
        }))()
      void work.then(settle, settle)
      return await Promise.race([work, late])
    } finally {
      timer.cancel()
      stopping.signal.removeEventListener('abort', onStop)
    }
  }

  return {
    add,
    start() {
      started = true
      pump()
    },
    async stop() {
      stopping.abort(new Error('stopped'))
      retries.clearAll()
      delayed.clearAll()
      await Promise.all(active)
    },
    idle: () => queue.depth === 0 && queue.running === 0 && retries.size === 0,
  }
}
