// Law 6: stored status changes only when a rounded figure changes.
import { rfc3339 } from './conditions.ts'

const STEP_MIB = 64
const STEP_FRACTION = 0.05
/** 254 nodes that all began at once then cost a cluster some 2 writes a minute, 10 in none. */
const LAST_HEARD_STEP_MS = 2 * 60 * 60_000

/**
 * Memory as status shows it: the stored figure until the real one is 64 MiB or 5 % away, whichever is more.
 * `atRest` (it has reached its target) shows it exactly, so that no status ends a step off the truth.
 */
export function steadyMiB(stored: number | undefined, actual: number, atRest = false): number {
  if (stored === undefined || atRest) return actual
  return Math.abs(actual - stored) >= Math.max(STEP_MIB, stored * STEP_FRACTION) ? actual : stored
}

/**
 * An instant that moves on all the time, as status shows it: after two to four hours, by `who` it is of, so that those
 * who began together do not come together. Undefined stays what was stored.
 */
export function steadyInstant(
  stored: string | undefined,
  actualMs: number | undefined,
  who: string,
): string | undefined {
  if (actualMs === undefined) return stored
  if (stored === undefined) return rfc3339(actualMs)
  return actualMs - Date.parse(stored) >= LAST_HEARD_STEP_MS * (1 + share(who)) ? rfc3339(actualMs) : stored
}

/** In [0, 1), the same for the same text: FNV-1a, and MurmurHash3's last steps, as texts that differ at their end do. */
function share(text: string): number {
  let hash = 0x811c9dc5
  for (const char of text) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32
}
