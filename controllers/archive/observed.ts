// What an archive's plan is made from: plain facts, gathered in observe.ts.
import type { ArchiveFacts } from '../../api/readiness/archive.ts'
import type { ArchiveReport, Mark } from '../../protocol/telemetry/report.ts'
import type { Verdict } from '../admission/admit.ts'
import type { Elsewhere } from '../move/elsewhere.ts'
import type { MoveObserved } from '../move/observe.ts'
import type { Placement, SlotResult } from '../ports/allocator.ts'
import type { Goal } from './goals.ts'
import type { Paced } from './pace.ts'
import type { Progress } from './progress.ts'

/** One op on the slot: what it should be, where it stands, whether it is sent. */
export interface OpStand {
  goal: Goal
  progress: Progress
  mark?: Mark
  paced: Paced
}

export interface ArchiveObserved {
  /** Clock.now(), for transition times. */
  nowMs: number
  deletion: {
    /** Law 3: why it waits for a person. */
    hold?: string
    /** The teardown is committed: `remove` may be published. */
    begun: boolean
    /** A person confirmed it: deletionPolicy Delete is followed. */
    confirmed: boolean
  }
  placement?: Placement
  /** Admission at the pinned node; absent for a tombstone, and while it lives on another node than its pin. */
  verdict?: Verdict
  /** What the allocator answered when it refused a place. */
  refusedPlace?: Extract<SlotResult, { ok: false }>
  /** Our records are older than a move: both nodes show that it lives there. */
  elsewhere?: Elsewhere
  /** It is, or should be, on its way to another node. */
  move?: MoveObserved
  channel: ArchiveFacts['channel']
  liveness: ArchiveFacts['liveness']
  /** RFC 3339, of the last fresh frame. */
  silentSince?: string
  bundle: {
    stage: ArchiveFacts['bundle']
    reason?: string
    /** Fresh telemetry shows a bundle applied that holds this very definition. */
    defined: boolean
  }
  /** Its entry in fresh telemetry; absent when the node is not Fresh or reports none. */
  report?: ArchiveReport
  /** Empty unless the node is Fresh and its applied bundle lists the archive. */
  ops: OpStand[]
}
