import type { Clock, Timer } from '../../base/clock.ts'

export interface Window {
  /** Opens the window, or keeps it open a little longer. */
  touch(): void
  close(): void
}

/** Runs `fn` once the calls of `touch` have paused for `idleMs`, or `maxMs` after the first of them. */
export function batchWindow(clock: Clock, idleMs: number, maxMs: number, fn: () => void): Window {
  let open: { timer: Timer; sinceMs: number } | undefined
  const close = (): void => {
    open?.timer.cancel()
    open = undefined
  }
  return {
    close,
    touch() {
      const nowMs = clock.monotonic()
      const sinceMs = open?.sinceMs ?? nowMs
      close()
      const waitMs = Math.max(0, Math.min(idleMs, sinceMs + maxMs - nowMs))
      open = {
        sinceMs,
        timer: clock.after(waitMs, () => {
          open = undefined
          fn()
        }),
      }
    },
  }
}
