// Runs controllers without the runtime, one key after another, until nothing is left to do.
import type { ControllerSpec, Enqueue } from '../../controllers/ports/reconciler.ts'
import type { RehearsalClock } from './clock.ts'

/** What waits longer than this is no consequence any more but a look from time to time. */
const HORIZON_MS = 120_000
/** For each object; more runs than this without coming to rest is a fault of ours. */
const RUNS_AN_OBJECT = 200

interface Due {
  controller: string
  key: string
  reasons: string[]
  atMs: number
}

export interface Runs {
  enqueue: Enqueue
  /** Everything due runs, and what waits gets its time. `objects`: how many there are. */
  settle(specs: readonly ControllerSpec[], objects: number): Promise<void>
}

export function runs(clock: RehearsalClock): Runs {
  const queue = new Map<string, Due>()
  const put = (controller: string, key: string, reason: string, atMs: number) => {
    const before = queue.get(key)
    const due = {
      controller,
      key,
      reasons: [...(before?.reasons ?? []), reason],
      atMs: Math.min(before?.atMs ?? atMs, atMs),
    }
    queue.set(key, due)
  }
  const next = (endMs: number): Due | undefined => {
    let first: Due | undefined
    for (const due of queue.values()) if (due.atMs <= endMs && (!first || due.atMs < first.atMs)) first = due
    return first
  }
  return {
    enqueue: (controller, key, reason, options) =>
      put(controller, key, reason, clock.monotonic() + (options?.afterMs ?? 0)),
    async settle(specs, objects) {
      const byName = new Map(specs.map((spec) => [spec.name, spec]))
      const endMs = clock.monotonic() + HORIZON_MS
      const { signal } = new AbortController()
      for (let count = 0; ; count++) {
        const due = next(endMs)
        if (!due) return
        if (count > RUNS_AN_OBJECT * (objects + 1)) throw new Error(`the plan of ${due.key} does not come to rest`)
        queue.delete(due.key)
        clock.advanceTo(due.atMs)
        const { key, reasons } = due
        const result = await byName.get(due.controller)?.reconcile({ key, reasons, signal, note: () => {} })
        if (result?.requeueAfterMs !== undefined)
          put(due.controller, key, 'again', clock.monotonic() + Math.max(1, result.requeueAfterMs))
      }
    },
  }
}
