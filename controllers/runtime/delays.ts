import type { Clock, Timer } from '../../base/clock.ts'

/** Keys that are to be added later. A key has at most one delay: the earlier one wins. */
export interface Delays {
  set(key: string, ms: number, fire: () => void): void
  clear(key: string): void
  has(key: string): boolean
  clearAll(): void
  readonly size: number
}

export function createDelays(clock: Clock): Delays {
  const timers = new Map<string, { dueMs: number; timer: Timer }>()
  const clear = (key: string) => {
    timers.get(key)?.timer.cancel()
    timers.delete(key)
  }
  return {
    set(key, ms, fire) {
      const dueMs = clock.monotonic() + ms
      const present = timers.get(key)
      if (present && present.dueMs <= dueMs) return
      clear(key)
      const timer = clock.after(ms, () => {
        timers.delete(key)
        fire()
      })
      timers.set(key, { dueMs, timer })
    },
    clear,
    has: (key) => timers.has(key),
    clearAll() {
      for (const key of [...timers.keys()]) clear(key)
    },
    get size() {
      return timers.size
    },
  }
}
