import type { Clock } from '../../base/clock.ts'

export interface TokenBucket {
  /** Is there a token? Takes none. */
  has(): boolean
  /** Takes one, if there is one. */
  take(): void
}

/** Starts full with `capacity` tokens and gains `perSecond`, on the clock that does not jump. */
export function tokenBucket(clock: Clock, capacity: number, perSecond: number): TokenBucket {
  let tokens = capacity
  let filledAt = clock.monotonic()
  const fill = () => {
    const now = clock.monotonic()
    tokens = Math.min(capacity, tokens + ((now - filledAt) / 1000) * perSecond)
    filledAt = now
  }
  return {
    has() {
      // Asked for every packet: while there is a token, the clock need not be.
      if (tokens < 1) fill()
      return tokens >= 1
    },
    take() {
      fill()
      tokens = Math.max(0, tokens - 1)
    },
  }
}
