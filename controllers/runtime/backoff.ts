export interface BackoffOptions {
  /** Upper bound of the first wait. */
  baseMs: number
  /** Upper bound of every wait. */
  capMs: number
}

export const DEFAULT_BACKOFF: BackoffOptions = { baseMs: 100, capMs: 5 * 60_000 }

/**
 * The wait before attempt `failures + 1`: doubling, capped, and jittered over its upper half, so that keys which
 * failed together do not come back together. `random01` is in [0, 1).
 */
export function backoffMs(failures: number, random01: number, options: BackoffOptions = DEFAULT_BACKOFF): number {
  const ceiling = Math.min(options.capMs, options.baseMs * 2 ** Math.min(failures - 1, 30))
  return ceiling / 2 + (ceiling / 2) * random01
}
