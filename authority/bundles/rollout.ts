// What to do next about one node's bundle, and about a batch of them: pure. The shell around it is publisher.ts.
//
//   a change      -> Pending -- pushed, shown staged --> Staged -- APPLY --> Applied
//   goes back     -> Reverted: tried again when an authority start fell into its 60 s, otherwise held for a person
//   APPLY missed  -> the same bundle again, onReceipt

import type { BundleState } from '../../controllers/ports/bundles.ts'
import type { Liveness, NodeView } from '../../controllers/ports/fleet.ts'
import { type BundleVersions, versionFor } from '../../protocol/bundle/versions.ts'
import {
  compareRevision,
  type Digest,
  type EnrolmentId,
  type Revision,
  type RevisionMark,
  type SequenceMark,
  type Term,
} from '../../protocol/ids.ts'
import type { HeldBundle } from '../../protocol/telemetry/report.ts'
import { ATTEMPT_DELAY_MS, AUTHORITY_CHANGE_MS, DEAF_HEARD_MS, MISSED_APPLY_MS } from './limits.ts'

/** A content that has been given a revision; kept as the record `rollout/<node>`. */
export interface Allotted {
  /** At which the content last changed. */
  revision: Revision
  digest: Digest
  attempt: number
  minSequence?: SequenceMark
  enrolmentId: EnrolmentId
  /** Of the content's `authorities`. */
  authorities: Digest
  /** The authority's address or keys changed, or nothing came before: switched without waiting for APPLY. */
  onReceipt: boolean
  /** Attempts of this content made without a person. */
  tries: number
  /** Clock.now() of its first push, nearly. */
  publishedMs: number
}

/** What telemetry shows of a node's bundles. */
export interface Seen {
  liveness: Liveness
  applied?: HeldBundle
  staged?: HeldBundle
  reverted?: HeldBundle
  told?: RevisionMark
  /** Bundle versions its agent says it reads. */
  reads?: readonly number[]
  /** There is a report, and no version that both sides know. */
  unreadable: boolean
  hasReport: boolean
  marksLost: boolean
  bundleLost: boolean
}

export function seenIn(view: NodeView, versions: BundleVersions): Seen {
  const { liveness, report } = view
  if (!report) return { liveness, unreadable: false, hasReport: false, marksLost: false, bundleLost: false }
  return {
    liveness,
    ...report.bundles,
    told: report.told,
    reads: report.reads.bundle,
    unreadable: versionFor(report.reads.bundle, versions) === undefined,
    hasReport: true,
    marksLost: report.marksLost,
    bundleLost: report.bundleLost,
  }
}

/** Why only an onReceipt bundle can help a node. */
export type OnReceiptNeed = 'TermBehind' | 'MarksLost' | 'BundleLost'

export interface Repair {
  why: OnReceiptNeed
  /** Clock.monotonic() of the last frame that said so. */
  heardMs: number
}

/** Has the node staged something else after what it applied? The next APPLY would switch to it. */
const overtaken = ({ applied, staged }: Seen): boolean =>
  applied !== undefined &&
  staged !== undefined &&
  staged.digest !== applied.digest &&
  compareRevision(staged, applied) > 0

const isSettled = (digest: Digest, seen: Seen): boolean => seen.applied?.digest === digest && !overtaken(seen)

export function stageOf(digest: Digest, seen: Seen): Exclude<BundleState['stage'], 'None'> {
  if (seen.unreadable) return 'Refused'
  if (seen.applied?.digest === digest) return 'Applied'
  if (seen.reverted?.digest === digest) return 'Reverted'
  return seen.staged?.digest === digest ? 'Staged' : 'Pending'
}

/** A member of a batch that APPLY need not wait for. */
function isReadyForApply(digest: Digest, seen: Seen): boolean {
  const stage = stageOf(digest, seen)
  return stage === 'Applied' ? isSettled(digest, seen) : stage !== 'Pending'
}

/** The next attempt of a reverted content: after how long, or never without a person. */
export function nextAttemptMs(allotted: Allotted, authorityStartedMs: number): number | undefined {
  const after = authorityStartedMs - allotted.publishedMs
  return after > 0 && after <= AUTHORITY_CHANGE_MS ? ATTEMPT_DELAY_MS[allotted.tries] : undefined
}

export function isRepaired(repair: Repair, allotted: Allotted | undefined, seen: Seen): boolean {
  if (seen.liveness !== 'Fresh') return false
  if (repair.why === 'MarksLost') return !seen.marksLost
  return repair.why === 'TermBehind' || (allotted !== undefined && seen.applied?.digest === allotted.digest)
}

export interface Situation {
  allotted: Allotted
  seen: Seen
  term: Term
  /** A member of the batch whose APPLY has not gone out. */
  inOpenBatch: boolean
  /** Clock.monotonic() at which the last APPLY that concerned it went out. */
  appliedMs: number
  repair?: Repair
  /** Clock.monotonic() before which it is not pushed to again. */
  nextPushMs: number
  /** Clock.monotonic() */
  nowMs: number
  /** Clock.now() at which this authority process began. */
  authorityStartedMs: number
}

export type Step =
  | { do: 'nothing' }
  /** Look again then. */
  | { do: 'wait'; ms: number }
  | { do: 'push'; switch: 'onApply' | 'onReceipt'; why: PushReason }
  /** The same content under the next attempt, after this long. */
  | { do: 'attempt'; ms: number }

export type PushReason = 'Changed' | 'MissedApply' | OnReceiptNeed

const NOTHING: Step = { do: 'nothing' }

export function nextStep(now: Situation): Step {
  const { allotted, seen, repair } = now
  const { digest } = allotted
  if (seen.liveness === 'Superseded' || seen.unreadable) return NOTHING
  if (repair) {
    if (now.nowMs - repair.heardMs > DEAF_HEARD_MS) return NOTHING
    return pushWhenDue(now, 'onReceipt', repair.why)
  }
  if (seen.liveness !== 'Fresh' || isSettled(digest, seen)) return NOTHING
  switch (stageOf(digest, seen)) {
    case 'Reverted': {
      const ms = nextAttemptMs(allotted, now.authorityStartedMs)
      return ms === undefined ? NOTHING : { do: 'attempt', ms }
    }
    case 'Staged':
      return now.inOpenBatch ? NOTHING : afterApply(now)
    default:
      return pushWhenDue(now, switchFor(now), 'Changed')
  }
}

function afterApply(now: Situation): Step {
  const leftMs = now.appliedMs + MISSED_APPLY_MS - now.nowMs
  return leftMs > 0 ? { do: 'wait', ms: leftMs } : pushWhenDue(now, 'onReceipt', 'MissedApply')
}

/** A bundle that comes after its APPLY must switch by itself: the agent does so when it was told, else onReceipt. */
function switchFor({ allotted, seen, term, inOpenBatch }: Situation): 'onApply' | 'onReceipt' {
  if (allotted.onReceipt || seen.bundleLost) return 'onReceipt'
  if (inOpenBatch) return 'onApply'
  const told = seen.told && compareRevision({ term, revision: allotted.revision }, seen.told) <= 0
  return told ? 'onApply' : 'onReceipt'
}

function pushWhenDue(now: Situation, how: 'onApply' | 'onReceipt', why: PushReason): Step {
  const leftMs = now.nextPushMs - now.nowMs
  return leftMs > 0 ? { do: 'wait', ms: leftMs } : { do: 'push', switch: how, why }
}

export interface MemberSituation {
  node: string
  digest: Digest
  seen: Seen
  /** Connected when the last authority ended, and not heard since. */
  expected: boolean
}

export type BatchVerdict =
  /** At most so long, and while this member is not ready. */
  | { do: 'wait'; ms: number; on: string }
  | { do: 'apply' }
  /** Nobody has it: there is nothing to tell. */
  | { do: 'close' }

export function judgeBatch(
  members: readonly MemberSituation[],
  ageMs: number,
  laggardMs: number,
  pushed: boolean,
): BatchVerdict {
  // The last one is pushed to last, hence likely the one that all wait for.
  const missing = members.findLast((m) =>
    m.seen.liveness === 'Fresh' ? !isReadyForApply(m.digest, m.seen) : m.expected,
  )
  if (missing && ageMs < laggardMs) return { do: 'wait', ms: laggardMs - ageMs, on: missing.node }
  return pushed || members.some((m) => stageOf(m.digest, m.seen) === 'Staged') ? { do: 'apply' } : { do: 'close' }
}
