// Who is enrolled. Implemented by authority/registry over nodes.jsonl.
import type { NodeIdentity } from '../../api/v1alpha1/node.ts'
import type { EnrolmentId, NodeId } from '../../protocol/ids.ts'

/** Who said at the machine that the digits were the same. */
export type PairedBy = 'person' | 'trustCode'

export interface Enrolment {
  node: string
  nodeId: NodeId
  enrolmentId: EnrolmentId
  identity: NodeIdentity
  /** declared: from Node.spec.identity; simulated; paired. */
  how: 'declared' | 'simulated' | 'paired'
  /** With `paired` only. */
  confirmedBy?: PairedBy
}

export type EnrolResult =
  | { ok: true; enrolment: Enrolment }
  | { ok: false; reason: 'KeyEnrolledElsewhere' | 'IdentityDiffers' | 'RegistryBehind'; message: string }

export interface Registry {
  of(node: string): Enrolment | undefined
  list(): Enrolment[]
  /** Idempotent for the same node and keys. One durable line before it resolves. */
  enrol(
    node: string,
    nodeId: NodeId,
    identity: NodeIdentity,
    how: Enrolment['how'],
    confirmedBy?: PairedBy,
  ): Promise<EnrolResult>
  /** The node left: a durable line; its keys may be enrolled again. */
  retire(node: string, reason: string): Promise<void>
  head(): { count: number; hash: string }
  subscribe(listener: (node: string) => void): () => void
}
