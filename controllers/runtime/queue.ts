// When a key may run. Who runs it, and what happens then, is the runner's business.
//
// Guarantees: a key is waiting at most once (adding it again merges reasons and raises its priority); a key that is
// running is not handed out again until `done`, and if it was added meanwhile it then waits once more; nothing
// starves: every AGEING_MS of waiting counts as much as one step of priority.

export type Priority = 0 | 1 | 2

/** After this long a background key competes with a normal one. */
export const AGEING_MS = 1_000
/** Reasons kept of a key that was added many times before it ran. */
const REASONS_KEPT = 8

export interface QueueItem {
  key: string
  priority: Priority
  reasons: string[]
  /** Monotonic time at which it began to wait. */
  sinceMs: number
}

export interface Queue {
  add(key: string, priority: Priority, reason: string, nowMs: number): void
  /** The key that waits with the most weight, now marked as running; undefined when none may run. */
  take(nowMs: number): QueueItem | undefined
  done(key: string): void
  /** Waiting, not running. */
  readonly depth: number
  readonly running: number
}

export function createQueue(): Queue {
  // One first-in-first-out lane a priority: within a lane the oldest always weighs most, so heads are enough.
  const lanes: Map<string, QueueItem>[] = [new Map(), new Map(), new Map()]
  const running = new Map<string, QueueItem | undefined>()

  const lane = (priority: Priority) => lanes[priority] as Map<string, QueueItem>
  const find = (key: string) => lanes.map((l) => l.get(key)).find((item) => item !== undefined)
  const merge = (item: QueueItem, reason: string) => {
    if (item.reasons.at(-1) !== reason) item.reasons.push(reason)
    if (item.reasons.length > REASONS_KEPT) item.reasons.shift()
  }

  return {
    add(key, priority, reason, nowMs) {
      if (running.has(key)) {
        const again = running.get(key) ?? { key, priority, reasons: [], sinceMs: nowMs }
        merge(again, reason)
        again.priority = Math.max(again.priority, priority) as Priority
        running.set(key, again)
        return
      }
      const waiting = find(key)
      if (!waiting) {
        lane(priority).set(key, { key, priority, reasons: [reason], sinceMs: nowMs })
        return
      }
      merge(waiting, reason)
      if (priority > waiting.priority) {
        lane(waiting.priority).delete(key)
        waiting.priority = priority
        lane(priority).set(key, waiting)
      }
    },
    take(nowMs) {
      let best: QueueItem | undefined
      let bestWeight = Number.NEGATIVE_INFINITY
      for (const candidates of lanes) {
        const head = candidates.values().next().value
        if (!head) continue
        const weight = head.priority + (nowMs - head.sinceMs) / AGEING_MS
        if (weight >= bestWeight) {
          best = head
          bestWeight = weight
        }
      }
      if (!best) return undefined
      lane(best.priority).delete(best.key)
      running.set(best.key, undefined)
      return best
    },
    done(key) {
      const again = running.get(key)
      running.delete(key)
      if (again) lane(again.priority).set(key, again)
    },
    get depth() {
      return lanes.reduce((sum, l) => sum + l.size, 0)
    },
    get running() {
      return running.size
    },
  }
}
