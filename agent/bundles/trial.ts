// Commit or revert (section 7.2): a switch that touches the way to the authority has to prove itself. Pure.
import type { BundleContent } from '../../protocol/bundle/document.ts'

export const TRIAL_MS = 60_000
/** A switch that came through this many agent starts without proving itself is gone back from at once. */
export const TRIAL_WINDOWS = 3

/** Does the step from one content to the other touch interface, hub peers or authority addresses? */
export function touchesConnection(before: BundleContent, after: BundleContent): boolean {
  const way = (c: BundleContent) => [
    c.interface,
    c.node.address,
    c.mesh.cidr,
    c.mesh.ports,
    c.peers.filter((p) => p.hub),
    c.authorities.map((a) => a.addresses),
  ]
  return JSON.stringify(way(before)) !== JSON.stringify(way(after))
}

export interface TrialEvidence {
  /** How long the content has been in force in this agent process. */
  elapsedMs: number
  /** Handshake ages of the peers that count: the hubs; for a hub, every peer it had before. Undefined: never. */
  handshakeAgesMs: readonly (number | undefined)[]
  /** No peer can be expected: a network of one, or a hub that had none before. */
  alone: boolean
  /** A connection to an authority's telemetry port was made since the switch. */
  connected: boolean
}

export function judgeTrial(e: TrialEvidence): 'commit' | 'revert' | 'wait' {
  // WireGuard tells ages in whole seconds: only an age of a second less is surely after the switch.
  const heard = e.alone || e.handshakeAgesMs.some((age) => age !== undefined && age + 1000 <= e.elapsedMs)
  if (heard && e.connected) return 'commit'
  return e.elapsedMs >= TRIAL_MS ? 'revert' : 'wait'
}
