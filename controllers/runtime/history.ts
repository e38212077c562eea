// What `ppn explain` shows: the last runs of a key.

export interface RunRecord {
  controller: string
  key: string
  /** Wall clock, milliseconds since 1970. */
  startedMs: number
  queuedMs: number
  tookMs: number
  reasons: readonly string[]
  result: 'success' | 'error' | 'requeue_after'
  /** Message of the failure, or when it will run again. */
  detail?: string
  planned: unknown[]
  did: unknown[]
  messages: string[]
}

/** Runs kept of one (controller, key). Runs that planned and did nothing replace each other. */
const RUNS_KEPT = 10

export interface History {
  add(run: RunRecord): void
  /** Newest last. */
  of(key: string): RunRecord[]
  forget(key: string): void
}

/** It planned nothing, did nothing and did not fail. */
export const isIdle = (run: RunRecord) => run.result !== 'error' && run.planned.length === 0 && run.did.length === 0

/** `keep` gets every run that was not idle, for a place that outlives the process. */
export function createHistory(keep: (run: RunRecord) => void = () => {}): History {
  const runs = new Map<string, RunRecord[]>()
  return {
    add(run) {
      if (!isIdle(run)) keep(run)
      const kept = runs.get(run.key) ?? []
      const last = kept.at(-1)
      // An idle run after an idle run says nothing new; it must not push out the runs that did something.
      if (last && isIdle(last) && isIdle(run) && last.controller === run.controller) kept.pop()
      kept.push(run)
      if (kept.length > RUNS_KEPT) kept.shift()
      runs.set(run.key, kept)
    },
    of: (key) => [...(runs.get(key) ?? [])],
    forget: (key) => void runs.delete(key),
  }
}
