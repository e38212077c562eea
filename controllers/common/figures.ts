// Law 6: stored status changes only when a rounded figure changes.
import { rfc3339 } from './conditions.ts'

const STEP_MIB = 64
const STEP_FRACTION = 0.05
const LAST_HEARD_STEP_MS = 5 * 60_000

/**
 * Memory as status shows it: the stored figure until the real one is 64 MiB or 5 % away, whichever is more.
 * `atRest` (it has reached its target) shows it exactly, so that no status ends a step off the truth.
 */
export function steadyMiB(stored: number | undefined, actual: number, atRest = false): number {
  if (stored === undefined || atRest) return actual
  return Math.abs(actual - stored) >= Math.max(STEP_MIB, stored * STEP_FRACTION) ? actual : stored
}

/** An instant as status shows it: moves at most every 5 minutes. Undefined stays what was stored. */
export function steadyInstant(stored: string | undefined, actualMs: number | undefined): string | undefined {
  if (actualMs === undefined) return stored
  if (stored === undefined) return rfc3339(actualMs)
  return actualMs - Date.parse(stored) >= LAST_HEARD_STEP_MS ? rfc3339(actualMs) : stored
}
