// What may exist. Implemented by authority/bundles: revisions, signing, staging, APPLY, onReceipt, Reverted.
import type { BundleContent } from '../../protocol/bundle/document.ts'
import type { Digest, Revision } from '../../protocol/ids.ts'

/** Bundle content without `attempt` and `minSequence`, which the publisher owns. */
export type WantedContent = Omit<BundleContent, 'attempt' | 'minSequence'>

export interface BundleState {
  /** What is wanted now, and the revision it was given. */
  revision?: Revision
  digest?: Digest
  /**
   * The content that `digest` is of, as last given to `want`: a controller looks here whether its part has got into
   * the wanted bundle yet, before it trusts `stage`.
   */
  content?: WantedContent
  /**
   * Pending: given a revision, not yet on the node. Staged: telemetry shows it staged. Applied: telemetry shows its
   * digest applied. Reverted: the node went back; held after 3 attempts until `retry`. Refused: the agent cannot
   * read it. None: nothing wanted.
   */
  stage: 'None' | 'Pending' | 'Staged' | 'Applied' | 'Reverted' | 'Refused'
  /** A reverted content waits for a person. */
  held: boolean
  reason?: string
}

export interface Bundles {
  /**
   * Declares the content of a node's bundle. Equal content (by digest) is a no-op: no revision, no signature, no
   * packet. Calls within one turn of the event loop share one revision.
   */
  want(node: string, content: WantedContent): void
  withdraw(node: string): void
  state(node: string): BundleState
  /** A person says: try the reverted content again. */
  retry(node: string): void
  /** Called with a node's name when its state changed. */
  subscribe(listener: (node: string) => void): () => void
}
