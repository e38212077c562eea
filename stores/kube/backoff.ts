// How long to wait before the API server is asked again.

/** First wait; doubles with every failure in a row. */
const FIRST_MS = 200
/** A server that is back is found within this: changes made meanwhile count within 10 s of its return. */
const LONGEST_MS = 4_000
/** A server may ask for more patience than that, but not for the afternoon. */
const LONGEST_ASKED_MS = 60_000

/**
 * Wait before try number `failures` + 1, between half and all of the exponential step, so that many clients do not
 * come back at once. `retryAfterS` of the server (RFC 9110, 10.2.3) is the least.
 */
export function retryDelayMs(failures: number, random01: number, retryAfterS?: number): number {
  const step = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.max(0, failures - 1))
  const own = step / 2 + (random01 * step) / 2
  const asked = Math.min(LONGEST_ASKED_MS, (retryAfterS ?? 0) * 1000)
  return asked > own ? asked + random01 * FIRST_MS : own
}
