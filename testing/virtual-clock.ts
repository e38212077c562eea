import type { Clock, Timer } from '../base/clock.ts'

interface Pending {
  dueMs: number
  order: number
  fn: () => void
}

export interface VirtualClock extends Clock {
  /**
   * Moves time forward by `ms`, running every timer that falls due in order of time, and letting promises settle
   * after each. Resolves when nothing due is left.
   */
  advance(ms: number): Promise<void>
  /** Lets promises and immediates settle without moving time. */
  settle(): Promise<void>
  /** Makes the wall clock jump by `ms` without touching timers or `monotonic`. */
  jump(ms: number): void
  /** Timers waiting. */
  pending(): number
}

/** A turn of the event loop lets promise chains and memory streams run; chains of streams need a few. */
const TURNS = 4

async function turns(n: number): Promise<void> {
  for (let i = 0; i < n; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** A clock that moves only when told. Starts at `startMs` of wall time and 1,000,000 ms of monotonic time. */
export function virtualClock(startMs = Date.UTC(2026, 0, 1)): VirtualClock {
  let monotonicMs = 1_000_000
  let wallOffset = startMs - monotonicMs
  let order = 0
  const timers = new Set<Pending>()

  // Whole milliseconds, as setTimeout keeps them.
  const after = (ms: number, fn: () => void): Timer => {
    const pending: Pending = { dueMs: monotonicMs + Math.max(0, Math.ceil(ms)), order: order++, fn }
    timers.add(pending)
    return { cancel: () => void timers.delete(pending) }
  }
  const next = (untilMs: number): Pending | undefined => {
    let best: Pending | undefined
    for (const t of timers) {
      if (t.dueMs > untilMs) continue
      if (!best || t.dueMs < best.dueMs || (t.dueMs === best.dueMs && t.order < best.order)) best = t
    }
    return best
  }

  return {
    now: () => monotonicMs + wallOffset,
    monotonic: () => monotonicMs,
    after,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason)
        const onAbort = () => {
          timer.cancel()
          reject(signal?.reason)
        }
        const timer = after(ms, () => {
          signal?.removeEventListener('abort', onAbort)
          resolve()
        })
        signal?.addEventListener('abort', onAbort, { once: true })
      }),
    async advance(ms) {
      const untilMs = monotonicMs + ms
      await turns(TURNS)
      for (let due = next(untilMs); due; due = next(untilMs)) {
        timers.delete(due)
        monotonicMs = Math.max(monotonicMs, due.dueMs)
        due.fn()
        await turns(TURNS)
      }
      monotonicMs = untilMs
      await turns(TURNS)
    },
    settle: () => turns(TURNS),
    jump(ms) {
      wallOffset += ms
    },
    pending: () => timers.size,
  }
}
