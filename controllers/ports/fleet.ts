// What telemetry showed. Implemented by authority/telemetry; the only source of truth about nodes (law 2).

import type { Term } from '../../protocol/ids.ts'
import type { NodeReport } from '../../protocol/telemetry/report.ts'

/**
 * Unheard: nothing usable since this authority started. Fresh: a frame of the current term holding a PING of this
 * process came within the last 60 s. Stale: it was fresh and fell silent. Braked: unheard because of the brake.
 * Superseded: the node reported a term at or above ours before we sent anything.
 */
export type Liveness = 'Unheard' | 'Fresh' | 'Stale' | 'Braked' | 'Superseded'

export interface NodeView {
  /** Node name. */
  node: string
  liveness: Liveness
  /** Clock.now() of the last fresh frame. */
  lastHeardMs?: number
  bootId?: string
  /** Term the node last spoke under, fresh or not. */
  term?: Term
  /** The merged report, its releases only those whose signature was verified; absent unless Fresh or Stale. When Stale it is history, not truth. */
  report?: NodeReport
}

export interface Fleet {
  view(node: string): NodeView
  views(): NodeView[]
  /** Called with a node's name whenever its view changed in anything but moving figures (cpu time, byte counts). */
  subscribe(listener: (node: string) => void): () => void
  /** This authority has been found not to be the newest; nothing is sent to anyone. */
  superseded(): boolean
}
