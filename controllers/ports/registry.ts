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
  /** The keys it enrolled with, once one of them was changed by REKEY. */
  enrolledWith?: NodeIdentity
}

export type EnrolResult =
  | { ok: true; enrolment: Enrolment }
  | { ok: false; reason: 'KeyEnrolledElsewhere' | 'IdentityDiffers' | 'RegistryBehind' | 'KeySevered'; message: string }

export interface Registry {
  of(node: string): Enrolment | undefined
  list(): Enrolment[]
  /**
   * Idempotent for the same node and keys. One durable line before it resolves. `replacing`: a reason to end the
   * enrolment of the machine that has the name now; it stays as it is when the new one is refused.
   */
  enrol(
    node: string,
    nodeId: NodeId,
    identity: NodeIdentity,
    how: Enrolment['how'],
    confirmedBy?: PairedBy,
    replacing?: string,
  ): Promise<EnrolResult>
  /** The last enrolment of this name that has ended. */
  ended(node: string): Enrolment | undefined
  /** The node left: a durable line. Its keys may be enrolled again, unless the reason is `severed`. */
  retire(node: string, reason: string): Promise<void>
  head(): { count: number; hash: string }
  subscribe(listener: (node: string) => void): () => void
}
