/** A rate with a burst; `nowMs` is Clock.monotonic(). */
export interface TokenBucket {
  /** Takes up to `wanted` tokens and says how many it took. */
  take(nowMs: number, wanted: number): number
  /** Whole milliseconds until a token will be there; 0: there is one. */
  waitMs(nowMs: number): number
}

export function tokenBucket(perSecond: number, burst: number): TokenBucket {
  let tokens = burst
  let atMs = Number.NaN
  const refill = (nowMs: number): void => {
    if (!Number.isNaN(atMs)) tokens = Math.min(burst, tokens + (Math.max(0, nowMs - atMs) * perSecond) / 1000)
    atMs = nowMs
  }
  return {
    take(nowMs, wanted) {
      refill(nowMs)
      const taken = Math.min(wanted, Math.floor(tokens))
      tokens -= taken
      return taken
    },
    waitMs(nowMs) {
      refill(nowMs)
      return tokens >= 1 ? 0 : Math.ceil(((1 - tokens) * 1000) / perSecond)
    },
  }
}
