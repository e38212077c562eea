import type { Clock } from '../../base/clock.ts'

/** Time that passes only when the rehearsal says so. Periodic timers never fire: nothing in a rehearsal needs them. */
export interface RehearsalClock extends Clock {
  /** `monotonic()` reads at least this from now on. */
  advanceTo(monotonicMs: number): void
}

export function rehearsalClock(startMs: number): RehearsalClock {
  let passed = 0
  return {
    now: () => startMs + passed,
    monotonic: () => passed,
    after: () => ({ cancel: () => {} }),
    sleep: () => Promise.reject(new Error('nothing sleeps in a rehearsal')),
    advanceTo(monotonicMs) {
      passed = Math.max(passed, monotonicMs)
    },
  }
}
