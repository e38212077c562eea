// Commit or revert (section 7.2): a switch that touches the way to the authority has to prove itself. Pure.
import type { BundleContent } from '../../protocol/bundle/document.ts'

export const TRIAL_MS = 60_000
/** With a new WireGuard key, and nobody heard under it: section 8. Its peers take the change back at the same time. */
export const KEY_TRIAL_MS = 30_000
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

/** A peer that counts, as seen now. */
export interface TrialPeer {
  /** Undefined: no handshake ever. */
  handshakeAgeMs: number | undefined
  /** More bytes came from it than at the switch: WireGuard counts only what it could decrypt. */
  receivedMore: boolean
}

export interface TrialEvidence {
  /** How long the content has been in force in this agent process. */
  elapsedMs: number
  /** The hubs; for a hub, every peer it had before. */
  peers: readonly TrialPeer[]
  /** No peer can be expected: a network of one, or a hub that had none before. */
  alone: boolean
  /** A connection to an authority's telemetry port was made since the switch. */
  connected: boolean
  /** The switch gave the interface another key. */
  newKey: boolean
}

/** WireGuard tells the time of a handshake in whole seconds: an age must be less by so much to be surely younger. */
const AGE_STEP_MS = 1_000

export function judgeTrial(e: TrialEvidence): 'commit' | 'revert' | 'wait' {
  const younger = (age: number | undefined) => age !== undefined && age + AGE_STEP_MS <= e.elapsedMs
  const heard = e.alone || e.peers.some((p) => p.receivedMore || younger(p.handshakeAgeMs))
  if (heard && e.connected) return 'commit'
  return e.elapsedMs >= (e.newKey && !heard ? KEY_TRIAL_MS : TRIAL_MS) ? 'revert' : 'wait'
}
