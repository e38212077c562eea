// Runs controllers over a fake world without the runtime: a set of keys, run one after another until none is left.

import type { ControllerSpec, Enqueue } from '../ports/reconciler.ts'

export interface Drive {
  enqueue: Enqueue
  /** Runs what is due, and whatever that makes due, until nothing is. Delayed keys wait. */
  settle(): Promise<void>
  /** Delayed keys become due, whatever their delay. */
  elapse(): void
  /** Keys run since the last call, in order. */
  taken(): string[]
}

/** More runs than this without coming to rest is a loop. */
const MAX_RUNS = 20_000

export function drive(specs: () => readonly Pick<ControllerSpec, 'name' | 'reconcile'>[]): Drive {
  const due = new Map<string, { controller: string; key: string; reasons: string[] }>()
  const later = new Map<string, { controller: string; key: string; reasons: string[] }>()
  let runs: string[] = []
  const put = (into: typeof due, controller: string, key: string, reason: string) => {
    const entry = into.get(key) ?? { controller, key, reasons: [] }
    entry.reasons.push(reason)
    into.set(key, entry)
  }
  const enqueue: Enqueue = (controller, key, reason, options) =>
    put((options?.afterMs ?? 0) > 0 ? later : due, controller, key, reason)
  return {
    enqueue,
    async settle() {
      const byName = new Map(specs().map((spec) => [spec.name, spec]))
      for (let count = 0; due.size > 0; count++) {
        if (count > MAX_RUNS) throw new Error(`no rest: ${[...due.keys()].join(', ')}`)
        const [id, { controller, key, reasons }] = due.entries().next().value as [string, never]
        due.delete(id)
        const spec = byName.get(controller)
        if (!spec) continue
        runs.push(key)
        const signal = new AbortController().signal
        const result = await spec.reconcile({ key, reasons, signal, note: () => {} })
        if (result?.requeueAfterMs !== undefined) put(later, controller, key, 'again')
      }
    },
    elapse() {
      for (const [id, entry] of later) due.set(id, entry)
      later.clear()
    },
    taken() {
      const taken = runs
      runs = []
      return taken
    },
  }
}
