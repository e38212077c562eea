import os from 'node:os'

/** A timer that can be called off; calling off twice is harmless. */
export interface Timer {
  cancel(): void
}

/** The one clock. Everything that reads time or waits takes one; `testing/virtual-clock.ts` has the other. */
export interface Clock {
  /** Wall clock, milliseconds since 1970. May jump. */
  now(): number
  /** Milliseconds on a clock that never jumps and counts suspended time (CLOCK_BOOTTIME). */
  monotonic(): number
  /** Runs `fn` once after `ms`. */
  after(ms: number, fn: () => void): Timer
  /** Resolves after `ms`; rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** Suspension looks like a jump of the wall clock of at least this; less is not worth asking the system for. */
const JUMP_MS = 50
/** What the system tells of its uptime is rounded to 10 ms; only above this is a difference a suspension. */
const UPTIME_ROUNDING_MS = 20
/** A suspension during which the wall clock stood still as well is noticed after this. */
const UPTIME_AGE_MS = 1_000

/**
 * CLOCK_BOOTTIME out of what is cheap to ask: process.hrtime stops while the machine sleeps, and os.uptime, which does
 * not, reads a file and rounds to 10 ms. So the second is asked once a second, and whenever the wall clock has jumped
 * against the first.
 */
function bootClock(): () => number {
  let askedMs = performance.now()
  let wallAheadMs = Date.now() - askedMs
  let sleptMs = os.uptime() * 1000 - askedMs
  return () => {
    const nowMs = performance.now()
    const aheadMs = Date.now() - nowMs
    if (nowMs - askedMs > UPTIME_AGE_MS || Math.abs(aheadMs - wallAheadMs) > JUMP_MS) {
      askedMs = nowMs
      wallAheadMs = aheadMs
      const nowSleptMs = os.uptime() * 1000 - nowMs
      if (nowSleptMs - sleptMs > UPTIME_ROUNDING_MS) sleptMs = nowSleptMs
    }
    return nowMs + sleptMs
  }
}

export function systemClock(): Clock {
  const after = (ms: number, fn: () => void): Timer => {
    const handle = setTimeout(fn, ms)
    return { cancel: () => clearTimeout(handle) }
  }
  return {
    now: () => Date.now(),
    monotonic: bootClock(),
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
  }
}
