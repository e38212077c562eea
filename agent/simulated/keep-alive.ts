// Starts again what ended by itself: at once the first time, then with growing pauses, so that a process that cannot
// live does not eat the machine.
import type { Clock } from '../../base/clock.ts'

const FIRST_PAUSE_MS = 1_000
const LONGEST_PAUSE_MS = 60_000
/** Alive for so long, it is well again. */
const WELL_AFTER_MS = 60_000

export interface KeepAliveOptions {
  clock: Clock
  /** Resolves when what runs now has ended. */
  ended(): Promise<void>
  /** Starts it; rejects when that fails, and is then tried again. */
  start(): Promise<void>
  /** It has ended, and is started again after so long. */
  onEnd(pauseMs: number): void
  onFailure(error: unknown): void
}

/** Until the signal aborts. What runs now counts as started. */
export async function keepAlive(options: KeepAliveOptions, signal: AbortSignal): Promise<void> {
  const { clock } = options
  let pauseMs = FIRST_PAUSE_MS
  let failed = false
  while (!signal.aborted) {
    const sinceMs = clock.monotonic()
    if (!failed) await options.ended()
    if (signal.aborted) return
    if (clock.monotonic() - sinceMs >= WELL_AFTER_MS) pauseMs = FIRST_PAUSE_MS
    if (!failed) options.onEnd(pauseMs)
    await clock.sleep(pauseMs, signal).catch(() => {})
    if (signal.aborted) return
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)
    try {
      await options.start()
      failed = false
    } catch (error) {
      failed = true
      if (!signal.aborted) options.onFailure(error)
    }
  }
}
