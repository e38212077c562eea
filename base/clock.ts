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

export function systemClock(): Clock {
  const after = (ms: number, fn: () => void): Timer => {
    const handle = setTimeout(fn, ms)
    return { cancel: () => clearTimeout(handle) }
  }
  return {
    now: () => Date.now(),
    // libuv reads CLOCK_BOOTTIME here; process.hrtime stops while the machine sleeps.
    monotonic: () => os.uptime() * 1000,
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
