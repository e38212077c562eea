// The archive's status. Everything about the VM comes from fresh telemetry; what is not seen is Unknown (law 2).
import { type ConditionDraft, type Readiness, readiness } from '../../api/readiness/index.ts'
import type { ArchivePhase, ArchiveStatus } from '../../api/v1alpha1/archive.ts'
import type { PpnObject } from '../../api/v1alpha1/index.ts'
import { OP, POWER } from '../../protocol/command/ops.ts'
import type { Lifecycle } from '../../protocol/telemetry/report.ts'
import { conditions, draft } from '../common/conditions.ts'
import { steadyMiB } from '../common/figures.ts'
import { detailsOf, factsOf } from './facts.ts'
import type { ArchiveObserved } from './observed.ts'

type Archive = PpnObject<'Archive'>

/** The verdict of the table, for status and events alike. */
export function verdictOf(archive: Archive, observed: ArchiveObserved): Readiness {
  return readiness('Archive', factsOf(archive, observed), detailsOf(archive, observed))
}

export function statusOf(archive: Archive, observed: ArchiveObserved): ArchiveStatus {
  const { placement, report } = observed
  const before = archive.status
  const ready = verdictOf(archive, observed)
  const drafts = [
    admitted(archive, observed),
    ...seen(archive, observed),
    ...deleting(archive, observed, ready),
    ...ready.conditions,
  ]
  const atRest = report !== undefined && report.memoryActualMiB === report.memoryTargetMiB
  return {
    observedGeneration: archive.metadata.generation,
    conditions: conditions(before?.conditions, drafts, archive.metadata.generation, observed.nowMs),
    phase: phaseOf(archive, observed),
    ...(placement && {
      nodeName: placement.node,
      id: placement.id,
      slot: placement.slot,
      fencingEpoch: placement.fencingEpoch,
    }),
    ...(placement &&
      (report
        ? {
            memoryActualMiB: steadyMiB(before?.memoryActualMiB, report.memoryActualMiB, atRest),
            memoryTargetMiB: steadyMiB(before?.memoryTargetMiB, report.memoryTargetMiB, atRest),
            weight: report.weight,
            restarts: report.restarts,
            ...(report.accelerator && { accelerator: report.accelerator }),
          }
        : lastFigures(before))),
  }
}

/** Silence changes no figure: what was last seen stays, and the conditions say that it is history. */
function lastFigures(before: ArchiveStatus | undefined): Partial<ArchiveStatus> {
  const { memoryActualMiB, memoryTargetMiB, weight, restarts, accelerator } = before ?? {}
  const figures = { memoryActualMiB, memoryTargetMiB, weight, restarts, accelerator }
  return Object.fromEntries(Object.entries(figures).filter(([, value]) => value !== undefined))
}

function admitted({ spec }: Archive, { placement, verdict, refusedPlace }: ArchiveObserved): ConditionDraft {
  if (placement) {
    if (verdict && !verdict.admitted && verdict.keeps)
      return draft('Admitted', 'True', verdict.reason, `the earlier figures stay: ${verdict.message}`)
    if (verdict?.admitted && verdict.overcommitted !== undefined)
      return draft('Admitted', 'True', 'Overcommitted', verdict.overcommitted)
    const { floorMiB, maxMiB, node } = placement
    return draft('Admitted', 'True', 'Admitted', `${floorMiB} to ${maxMiB} MiB on ${node}`)
  }
  if (!verdict) return draft('Admitted', 'Unknown', 'NotAsked', `not asked of ${spec.nodeName}`)
  if (refusedPlace) return draft('Admitted', 'False', refusedPlace.reason, refusedPlace.message)
  if (verdict.admitted) return draft('Admitted', 'True', 'Admitted', `there is room on ${spec.nodeName}`)
  return draft('Admitted', verdict.waits ? 'Unknown' : 'False', verdict.reason, verdict.message)
}

function seen(archive: Archive, observed: ArchiveObserved): ConditionDraft[] {
  const { placement, liveness, channel } = observed
  const types = ['Placed', 'ImageReady', 'Running']
  if (!placement) return types.map((type) => draft(type, 'False', 'NotAdmitted', 'it has no place yet'))
  if (liveness === 'Fresh' && channel !== 'Superseded')
    return [placed(observed), imageReady(observed), running(archive, observed), ...cpuWeight(observed)]
  const reason = channel === 'Superseded' ? channel : liveness === 'Stale' ? 'Silent' : liveness
  const node = placement.node
  return types.map((type) => draft(type, 'Unknown', reason, `not known while node ${node} is not heard`))
}

function placed({ placement, bundle }: ArchiveObserved): ConditionDraft {
  if (bundle.defined) return draft('Placed', 'True', 'Applied', `slot ${placement?.slot} of ${placement?.node}`)
  const gone = bundle.stage === 'Held' || bundle.stage === 'Reverted'
  if (!gone && bundle.stage !== 'Refused')
    return draft('Placed', 'False', 'BundlePending', `its definition is on the way to ${placement?.node}`)
  const why = gone ? 'went back to its previous bundle' : `refuses its bundle: ${bundle.reason}`
  return draft('Placed', 'False', 'NodeBundleNotApplied', `node ${placement?.node} ${why}`)
}

function imageReady({ report, bundle }: ArchiveObserved): ConditionDraft {
  if (report?.errorCode !== undefined && !report.imageReady)
    return draft('ImageReady', 'False', report.errorCode, report.errorMessage ?? report.errorCode)
  if (report?.imageReady && bundle.defined) return draft('ImageReady', 'True', 'Verified', 'its disk is made')
  return draft('ImageReady', 'False', 'Preparing', 'its disk is not made yet')
}

/** True needs effect and mark together; a VM seen running without the mark is neither True nor False. */
function running({ spec }: Archive, { report, ops }: ArchiveObserved): ConditionDraft {
  const lifecycle = report?.lifecycle ?? 'Absent'
  if (lifecycle !== 'Running') return draft('Running', 'False', lifecycle, `the VM is ${lifecycle}`)
  const mark = ops.find((o) => o.goal.op === OP.POWER)?.mark
  if (report?.unlisted)
    return draft('Running', 'Unknown', 'Unlisted', 'it runs, but the applied bundle does not list it')
  if (mark?.value === POWER.start && mark.state === 'done')
    return draft('Running', 'True', 'Running', `the VM runs; ${spec.runState} is declared`)
  return draft('Running', 'Unknown', 'Unconfirmed', 'it runs, but the node shows no mark of a start')
}

/** Only on a node whose host can give no weights: also where the default is declared, which is Ready without. */
function cpuWeight({ report }: ArchiveObserved): ConditionDraft[] {
  const refusal = report?.refusal
  return refusal?.op === OP.WEIGHT ? [draft('CpuWeight', 'False', 'NoCpuWeights', refusal.message)] : []
}

function deleting(archive: Archive, { deletion }: ArchiveObserved, ready: Readiness): ConditionDraft[] {
  if (archive.metadata.deletionTimestamp === undefined) return []
  const started = deletion.begun || deletion.hold === undefined
  const unconfirmed = archive.spec.deletionPolicy === 'Delete' && !deletion.confirmed
  const disk = unconfirmed ? `; ${DISK_RETAINED(archive.metadata.name)}` : ''
  return [draft('Deleting', started ? 'True' : 'False', ready.reason, `${ready.message}${disk}`)]
}

/** How to get the disk deleted after all (law 3). */
export const DISK_RETAINED = (name: string): string =>
  `the disk is retained: deletionPolicy Delete needs annotation ppn.dev/confirm-delete: ${name}`

const PHASE: Readonly<Record<Lifecycle, ArchivePhase>> = {
  Absent: 'Pending',
  Preparing: 'Preparing',
  Stopped: 'Archived',
  Starting: 'Starting',
  Running: 'Running',
  Suspended: 'Suspended',
  Stopping: 'Stopping',
  Crashed: 'Failed',
  BackOff: 'Starting',
  Failed: 'Failed',
  Removed: 'Archived',
}

function phaseOf(archive: Archive, { placement, liveness, channel, report, deletion }: ArchiveObserved): ArchivePhase {
  const { deletionTimestamp } = archive.metadata
  if (deletionTimestamp !== undefined && (deletion.begun || deletion.hold === undefined)) return 'Deleting'
  if (!placement) return 'Pending'
  if (liveness !== 'Fresh' || channel === 'Superseded') return 'Unknown'
  if (report?.errorCode !== undefined) return 'Failed'
  const lifecycle = report?.lifecycle ?? 'Absent'
  if (lifecycle === 'Absent' && archive.spec.runState === 'Archived') return 'Archived'
  return PHASE[lifecycle]
}
