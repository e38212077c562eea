// How a fake agent misbehaves. Each verb holds until what it returned is called; of two that contradict each other
// the newer one decides.
import type { Clock } from '../../base/clock.ts'
import type { RandomBytes } from '../../base/random.ts'
import type { NodeReport } from '../../protocol/telemetry/report.ts'

/** Ends what a verb began. */
export type Undo = () => void

/** Fields to replace, or a function from the truth to what is said instead. */
export type Lie = Partial<NodeReport> | ((truth: NodeReport) => NodeReport)

export interface Script {
  /** Sends no telemetry; the connection stays. Goes on obeying. */
  silent(): Undo
  /** Takes no packet and no bundle. Goes on reporting. */
  deaf(): Undo
  /** Every command and bundle takes effect this much later; telemetry shows what is under way. */
  slow(ms: number): Undo
  /** This share of the packets sent to it never arrives, 0-1. */
  lossy(share: number): Undo
  /** This share of the packets comes twice. */
  duplicating(share: number): Undo
  /** This share of the packets is held back by `byMs` (default 50), so that later ones overtake. */
  reordering(share: number, byMs?: number): Undo
  /** Telemetry says something else than what is so. */
  lying(lie: Lie): Undo
  /** Its wall clock is ahead by this much; negative: behind. Synchronised, as it believes, unless said otherwise. */
  clockOff(aheadMs: number, options?: { synchronised?: boolean }): Undo
}

interface Behaviour {
  silent?: true
  deaf?: true
  slowMs?: number
  loss?: number
  duplicate?: number
  reorder?: { share: number; byMs: number }
  lie?: Lie
  clock?: { aheadMs: number; synchronised: boolean }
}

const REORDER_MS = 50

/** The verbs, and what they amount to now. `changed` is called whenever that changes. */
export function scriptOf(options: { clock: Clock; random: RandomBytes; changed(): void }) {
  const { clock, random, changed } = options
  const played: Behaviour[] = []
  const play = (behaviour: Behaviour): Undo => {
    played.push(behaviour)
    changed()
    return () => {
      const at = played.indexOf(behaviour)
      if (at < 0) return
      played.splice(at, 1)
      changed()
    }
  }
  const now = <K extends keyof Behaviour>(what: K): Behaviour[K] =>
    played.findLast((b) => b[what] !== undefined)?.[what]
  const happens = (share: number): boolean => share > 0 && Buffer.from(random(4)).readUInt32BE() / 2 ** 32 < share

  const verbs: Script = {
    silent: () => play({ silent: true }),
    deaf: () => play({ deaf: true }),
    slow: (ms) => play({ slowMs: ms }),
    lossy: (share) => play({ loss: share }),
    duplicating: (share) => play({ duplicate: share }),
    reordering: (share, byMs = REORDER_MS) => play({ reorder: { share, byMs } }),
    lying: (lie) => play({ lie }),
    clockOff: (aheadMs, { synchronised = true } = {}) => play({ clock: { aheadMs, synchronised } }),
  }
  return {
    verbs,
    silent: () => now('silent') === true,
    deaf: () => now('deaf') === true,
    slowMs: () => now('slowMs') ?? 0,
    clock: () => now('clock') ?? { aheadMs: 0, synchronised: true },
    told(truth: NodeReport): NodeReport {
      const lie = now('lie')
      return typeof lie === 'function' ? lie(truth) : { ...truth, ...lie }
    },
    /** Delivers a packet as often and as late as the script says. */
    deliver(take: () => void): void {
      if (now('deaf') || happens(now('loss') ?? 0)) return
      const copies = happens(now('duplicate') ?? 0) ? 2 : 1
      const { share, byMs } = now('reorder') ?? { share: 0, byMs: 0 }
      for (let copy = 0; copy < copies; copy++) {
        if (happens(share)) clock.after(byMs, take)
        else take()
      }
    },
  }
}
