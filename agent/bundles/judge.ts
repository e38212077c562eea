// What to do with a bundle that has been verified: section 7.2, "Order". Pure.
import {
  compareRevision,
  type Digest,
  type EnrolmentId,
  type MeshId,
  type NodeId,
  type RevisionMark,
  type Term,
} from '../../protocol/ids.ts'
import type { HeldBundle } from '../../protocol/telemetry/report.ts'

export interface BundleHolder {
  meshId: MeshId
  nodeId: NodeId
  enrolmentId: EnrolmentId
  operatorKey: string
  term: Term
  applied?: HeldBundle
  staged?: HeldBundle
  /** Contents this node went back from. */
  refused: readonly Digest[]
  /** Highest APPLY. */
  told?: RevisionMark
}

export interface IncomingBundle extends HeldBundle {
  meshId: MeshId
  nodeId: NodeId
  enrolmentId: EnrolmentId
  operatorKey: string
  switch: 'onApply' | 'onReceipt'
}

export type BundleRefusal =
  | 'WrongMesh'
  | 'WrongNode'
  | 'WrongEnrolment'
  | 'WrongOperatorKey'
  | 'OldTerm'
  | 'RevertedContent'
  | 'NotNewer'

export type BundleDecision =
  | { do: 'refuse'; reason: BundleRefusal }
  /** The content is in force: replace the file `applied`, touch nothing else but a staged bundle now overtaken. */
  | { do: 'refile'; dropStaged: boolean }
  | { do: 'stage'; thenSwitch: boolean }

/** Does this APPLY cover this bundle? */
export function isTold(told: RevisionMark | undefined, bundle: RevisionMark): boolean {
  return told !== undefined && compareRevision(bundle, told) <= 0
}

export function judgeBundle(own: BundleHolder, incoming: IncomingBundle): BundleDecision {
  const refuse = (reason: BundleRefusal): BundleDecision => ({ do: 'refuse', reason })
  if (incoming.meshId !== own.meshId) return refuse('WrongMesh')
  if (incoming.nodeId !== own.nodeId) return refuse('WrongNode')
  if (incoming.enrolmentId !== own.enrolmentId) return refuse('WrongEnrolment')
  if (incoming.operatorKey !== own.operatorKey) return refuse('WrongOperatorKey')
  if (incoming.term < own.term) return refuse('OldTerm')

  const { applied, staged } = own
  if (applied && incoming.digest === applied.digest && compareRevision(incoming, applied) >= 0) {
    const order = staged ? compareRevision(incoming, staged) : -1
    // One revision has one content.
    return order === 0 ? refuse('NotNewer') : { do: 'refile', dropStaged: order > 0 }
  }
  if (own.refused.includes(incoming.digest)) return refuse('RevertedContent')

  const thenSwitch = incoming.switch === 'onReceipt' || isTold(own.told, incoming) || applied === undefined
  if (staged) {
    const order = compareRevision(incoming, staged)
    if (order < 0 || (order === 0 && incoming.digest !== staged.digest)) return refuse('NotNewer')
    return { do: 'stage', thenSwitch }
  }
  if (applied && compareRevision(incoming, applied) <= 0) return refuse('NotNewer')
  return { do: 'stage', thenSwitch }
}
