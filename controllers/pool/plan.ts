// What to do about a ResourcePool; pure. The policy itself reaches the node in its bundle (policy.ts); the pool's own
// reconcile says whether the node runs it and how its memory is divided. Deleted, the defaults return.
import { isDeepStrictEqual } from 'node:util'
import { FINALIZER } from '../../api/meta.ts'
import { readiness } from '../../api/readiness/index.ts'
import type { ResourcePoolFacts } from '../../api/readiness/resource-pool.ts'
import type { PpnObject } from '../../api/v1alpha1/index.ts'
import type { PoolArchiveUsage, ResourcePoolStatus } from '../../api/v1alpha1/resource-pool.ts'
import type { BundlePool } from '../../protocol/bundle/document.ts'
import type { NodeReport } from '../../protocol/telemetry/report.ts'
import { conditions, draft } from '../common/conditions.ts'
import type { Effect } from '../common/effects.ts'
import { steadyMiB } from '../common/figures.ts'
import { isOrphan, isPaused, statusEffect, verdictEvent } from '../common/status.ts'
import type { Placement } from '../ports/allocator.ts'
import { poolRecord } from './in-force.ts'
import { poolFault } from './policy.ts'

export type PoolObject = PpnObject<'ResourcePool'>

export interface PoolObserved {
  nowMs: number
  /** Law 3: why its deletion waits for a person. */
  hold?: string
  /** The deletion is committed: the node's bundle goes back to the defaults. */
  begun: boolean
  node: 'ok' | 'NodeUnknown' | 'NodeNotAccepted'
  /** Why the Node is not accepted. */
  nodeDetail?: string
  channel: ResourcePoolFacts['channel']
  liveness: ResourcePoolFacts['liveness']
  /** RFC 3339, of the last fresh frame. */
  silentSince?: string
  bundle: ResourcePoolFacts['bundle']
  bundleReason?: string
  /** Fresh telemetry shows a bundle applied that holds the policy as it should be now. */
  applied: boolean
  /** Only when the node is Fresh. */
  report?: NodeReport
  /** As the node's bundle is to say it. */
  wanted: BundlePool
  /** What was durably noted as followed. */
  followed?: BundlePool
  reservedMiB: number
  placements: readonly Placement[]
  /** Why what was admitted is more than the node bears. */
  excess?: string
}

export function planPool(pool: PoolObject, observed: PoolObserved): Effect[] {
  const { deletionTimestamp, finalizers } = pool.metadata
  const owned = finalizers.includes(FINALIZER)
  if (isPaused(pool)) return tell(pool, observed)
  if (deletionTimestamp === undefined)
    return [
      ...(owned ? [] : [{ type: 'addFinalizer' } satisfies Effect]),
      ...follow(pool, observed),
      ...tell(pool, observed),
    ]
  if (!owned) return []
  if (isOrphan(pool)) return end(pool, observed)
  if (observed.hold !== undefined && !observed.begun) return tell(pool, observed)
  if (isWithdrawn(observed)) return end(pool, observed)
  return [...(observed.begun ? [] : [{ type: 'commitDeletion' } satisfies Effect]), ...tell(pool, observed)]
}

/** Noted, so that a pool that is paused or at fault when the authority starts leaves what was followed before. */
function follow(pool: PoolObject, { wanted, followed }: PoolObserved): Effect[] {
  if (poolFault(pool) || isDeepStrictEqual(wanted, followed)) return []
  return [{ type: 'record', key: poolRecord(pool.metadata.uid), value: wanted }]
}

function end(pool: PoolObject, { followed }: PoolObserved): Effect[] {
  const forget: Effect[] = followed ? [{ type: 'record', key: poolRecord(pool.metadata.uid), value: undefined }] : []
  return [...forget, { type: 'removeFinalizer' }]
}

/** The defaults are in force again, or there is no node for them. An unheard node is waited for. */
function isWithdrawn({ begun, node, applied }: PoolObserved): boolean {
  return begun && (applied || node === 'NodeUnknown')
}

function poolFacts(pool: PoolObject, observed: PoolObserved): ResourcePoolFacts {
  const fault = poolFault(pool)
  const deleted = pool.metadata.deletionTimestamp !== undefined
  const held = observed.hold !== undefined && !observed.begun
  return {
    paused: isPaused(pool),
    deletion: !deleted ? 'none' : held ? 'held' : 'withdrawing',
    accepted: fault?.reason ?? (observed.node === 'ok' ? 'yes' : observed.node),
    channel: observed.channel,
    liveness: observed.liveness,
    bundle: observed.bundle,
    applied: observed.applied,
    overcommitted: observed.excess !== undefined,
  }
}

function tell(pool: PoolObject, observed: PoolObserved): Effect[] {
  const facts = poolFacts(pool, observed)
  const { generation } = pool.metadata
  const found = readiness('ResourcePool', facts, {
    node: pool.spec.nodeName,
    detail: poolFault(pool)?.detail ?? observed.nodeDetail ?? observed.excess,
    hold: observed.hold,
    since: observed.silentSince,
    bundleReason: observed.bundleReason,
  })
  const drafts = [
    ...found.conditions,
    facts.accepted === 'yes'
      ? draft('Accepted', 'True', 'Accepted', 'the spec is followed')
      : draft('Accepted', 'False', facts.accepted, found.message),
    ...(facts.deletion === 'none'
      ? []
      : [draft('Deleting', facts.deletion === 'held' ? 'False' : 'True', found.reason, found.message)]),
  ]
  const status: ResourcePoolStatus = {
    observedGeneration: generation,
    conditions: conditions(pool.status?.conditions, drafts, generation, observed.nowMs),
    ...figures(pool.status, observed),
  }
  return [...statusEffect(pool, status), ...verdictEvent(pool, found)]
}

type Figures = Omit<ResourcePoolStatus, 'observedGeneration' | 'conditions'>

/** How the node's memory is divided. What telemetry shows stays as it was while the node is silent. */
function figures(before: ResourcePoolStatus | undefined, observed: PoolObserved): Figures {
  const { report, reservedMiB, placements } = observed
  const floorsMiB = placements.reduce((sum, p) => sum + p.floorMiB, 0)
  const maximaMiB = placements.reduce((sum, p) => sum + p.maxMiB, 0)
  const physicalMiB = report?.capacity.memoryMiB ?? before?.physicalMiB
  return {
    ...(physicalMiB !== undefined && { physicalMiB, reclaimableMiB: physicalMiB - reservedMiB - floorsMiB }),
    reservedMiB,
    floorsMiB,
    maximaMiB,
    ...(report
      ? {
          freeMiB: steadyMiB(before?.freeMiB, report.usage.memoryFreeMiB),
          pressure: report.usage.pressure,
          ...overhead(report.usage.vmOverheadMiB ?? before?.vmOverheadMiB),
          archives: usage(before?.archives ?? [], report),
        }
      : {
          freeMiB: before?.freeMiB,
          pressure: before?.pressure,
          ...overhead(before?.vmOverheadMiB),
          archives: before?.archives,
        }),
  }
}

const overhead = (vmOverheadMiB: number | undefined) => vmOverheadMiB !== undefined && { vmOverheadMiB }

/** Every archive that the node shows, sorted by namespace and name. */
function usage(before: readonly PoolArchiveUsage[], report: NodeReport): PoolArchiveUsage[] {
  return report.archives
    .filter((a) => a.lifecycle !== 'Removed')
    .map(({ namespace, name, memoryActualMiB, memoryTargetMiB, weight }) => {
      const stored = before.find((b) => b.namespace === namespace && b.name === name)
      const atRest = memoryActualMiB === memoryTargetMiB
      return {
        namespace,
        name,
        actualMiB: steadyMiB(stored?.actualMiB, memoryActualMiB, atRest),
        targetMiB: steadyMiB(stored?.targetMiB, memoryTargetMiB, atRest),
        weight,
      }
    })
    .sort((a, b) => byText(a.namespace, b.namespace) || byText(a.name, b.name))
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
