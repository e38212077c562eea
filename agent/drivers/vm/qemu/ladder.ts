// How a VM is ended, as a function of time (section 8b). Pure.
import { STOP_LADDER } from '../../figures.ts'

export type Step = (typeof STOP_LADDER)[number]['step']
export type Ladder = readonly { step: Step; limitMs: number }[]

/** The guest is asked first. */
export const GRACEFUL: Ladder = STOP_LADDER
/** The guest has ended and QEMU has not. */
export const FINISH: Ladder = STOP_LADDER.slice(1)
/** At once, without the guest; QEMU gets a moment to close its files. */
export const CUT: Ladder = [
  { step: 'quit', limitMs: 1_000 },
  { step: 'sigkill', limitMs: 0 },
]

/** A guest that is still booting hears no button, and a process in the kernel dies late: asked again after this. */
const AGAIN_MS = 5_000

/** What to do `elapsedMs` after the ladder was begun, and when to ask again. */
export function stepAt(ladder: Ladder, elapsedMs: number): { step: Step; againInMs: number } {
  let beginsMs = 0
  for (const { step, limitMs } of ladder) {
    const leftMs = beginsMs + limitMs - elapsedMs
    if (leftMs > 0) return { step, againInMs: step === 'powerdown' ? Math.min(leftMs, AGAIN_MS) : leftMs }
    beginsMs += limitMs
  }
  return { step: 'sigkill', againInMs: AGAIN_MS }
}
