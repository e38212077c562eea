// When a VM that ended starts again (spec.restartPolicy). Restarts belong to the node (section 7.1). Pure.
import type { VmEnd } from '../../drivers/vm/port.ts'

const FIRST_DELAY_MS = 1_000
const DELAY_CAP_MS = 5 * 60_000
/** A run of at least this long forgives the failures before it. */
export const GOOD_RUN_MS = 10 * 60_000

/** Delay before the next start after `failures` ends in a row (at least 1); `jitter` from 0 to 1. */
export function restartDelayMs(failures: number, jitter: number): number {
  const full = Math.min(DELAY_CAP_MS, FIRST_DELAY_MS * 2 ** Math.min(failures - 1, 30))
  return Math.round(full * (0.5 + jitter / 2))
}

/** Does the policy start it again? `end` undefined: it is gone without a word, as after a restart of the machine. */
export function restarts(policy: 'Always' | 'OnFailure' | 'Never', end: VmEnd | undefined): boolean {
  if (policy === 'Never') return false
  return policy === 'Always' || end !== 'guest-shutdown'
}
