// From what was observed to the facts of the readiness table (api/readiness/archive.ts). Pure.
import type { ArchiveFacts } from '../../api/readiness/archive.ts'
import type { PpnObject } from '../../api/v1alpha1/index.ts'
import { OP } from '../../protocol/command/ops.ts'
import { isOrphan, isPaused } from '../common/status.ts'
import { declaredPower } from './goals.ts'
import type { ArchiveObserved } from './observed.ts'
import { errorText } from './progress.ts'

type Archive = PpnObject<'Archive'>
export type Details = Readonly<Record<string, string | undefined>>

export function factsOf(archive: Archive, observed: ArchiveObserved): ArchiveFacts {
  const { bundle, report, ops, channel, liveness } = observed
  return {
    paused: isPaused(archive),
    deletion: deletionOf(archive, observed),
    admitted: admittedOf(observed),
    change: changeOf(archive, observed),
    move: moveFact(observed),
    channel,
    liveness,
    bundle: bundle.stage,
    defined: bundle.defined,
    failed: report !== undefined && (report.errorCode !== undefined || report.lifecycle === 'Failed'),
    refusal: refusalFact(observed),
    runState: archive.spec.runState,
    powerMarked: powerMarked(archive, observed),
    tuned: ops.length > 0 && ops.every((o) => o.goal.op === OP.POWER || o.progress.state === 'settled'),
    lifecycle: report?.lifecycle ?? 'Absent',
  }
}

function deletionOf(archive: Archive, { deletion, liveness, report }: ArchiveObserved): ArchiveFacts['deletion'] {
  if (archive.metadata.deletionTimestamp === undefined) return 'none'
  if (isOrphan(archive)) return 'orphaned'
  if (deletion.hold !== undefined && !deletion.begun) return 'held'
  if (liveness !== 'Fresh') return 'unreachable'
  const gone = !report || report.lifecycle === 'Stopped' || report.lifecycle === 'Absent'
  return gone || report.lifecycle === 'Removed' ? 'removing' : 'stopping'
}

function admittedOf({ placement, verdict, refusedPlace }: ArchiveObserved): ArchiveFacts['admitted'] {
  if (placement || !verdict) return 'yes'
  if (!verdict.admitted) return verdict.reason
  if (!refusedPlace) return 'yes'
  return refusedPlace.reason === 'DiskInUse' ? 'DiskTaken' : refusedPlace.reason
}

function changeOf({ spec }: Archive, { placement, verdict, move }: ArchiveObserved): ArchiveFacts['change'] {
  if (!placement) return 'none'
  if (placement.node !== spec.nodeName) {
    if (move?.record) return 'none'
    if (spec.relocation === 'Never') return 'RelocationNever'
    return move?.verdict?.admitted === false ? 'MoveRefused' : 'none'
  }
  if (!verdict || verdict.admitted) return 'none'
  return verdict.reason === 'MemoryFloor' || verdict.reason === 'MemoryOvercommit' ? verdict.reason : 'none'
}

/** What the move waits for; a move that has only to tidy up, or to begin, says nothing. */
function moveFact({ move, refusedPlace }: ArchiveObserved): ArchiveFacts['move'] {
  if (!move || move.step.do === 'nothing' || move.step.do !== 'wait') return 'none'
  const { for: what } = move.step
  if (refusedPlace) return refusedPlace.reason === 'RestoreUnheard' ? 'RestoreUnheard' : 'NoSlot'
  if (what === 'Landing' || what === 'Cleaning') return 'none'
  return what === 'Copying' && !move.sourceFresh ? 'SourceUnheard' : what
}

/** The first final refusal among the ops, POWER first. */
function refusalOf({ ops }: ArchiveObserved) {
  for (const { progress } of ops) if (progress.state === 'refused') return progress
  return undefined
}

/** A node refuses a weight for one reason only: its host can give none. */
function refusalFact({ ops }: ArchiveObserved): ArchiveFacts['refusal'] {
  const refused = ops.find(({ progress }) => progress.state === 'refused')
  if (refused?.progress.state !== 'refused') return 'none'
  return refused.goal.op === OP.WEIGHT ? 'NoCpuWeights' : refused.progress.reason
}

/** The declared value itself, done: the POWER 1 on the way to Suspended does not count. */
function powerMarked({ spec }: Archive, { ops }: ArchiveObserved): boolean {
  const power = ops.find((o) => o.goal.op === OP.POWER)
  if (!power || power.goal.value !== declaredPower(spec.runState) || power.progress.state !== 'settled') return false
  return power.mark === undefined || power.mark.state === 'done'
}

export function detailsOf(archive: Archive, observed: ArchiveObserved): Details {
  const { placement, verdict, report, deletion, bundle } = observed
  // Of a holder only a refused change is spoken of; that its node is unheard is not why it failed.
  const concerns = !placement || changeOf(archive, observed) !== 'none'
  const asked = verdict ?? observed.move?.verdict
  const refused = concerns && asked && !asked.admitted ? asked.message : observed.refusedPlace?.message
  return {
    name: archive.metadata.name,
    namespace: archive.metadata.namespace,
    node: placement?.node ?? archive.spec.nodeName,
    from: observed.move?.record?.from.node,
    to: observed.move?.record?.to ?? archive.spec.nodeName,
    detail: refused ?? (report && errorText(report)) ?? refusalOf(observed)?.message ?? 'the node gives no reason',
    hold: deletion.hold,
    since: observed.silentSince,
    bundleReason: bundle.reason,
    restarts: String(report?.restarts ?? 0),
  }
}
