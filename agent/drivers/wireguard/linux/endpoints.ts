// Whether the endpoint of a peer has to be written, and to what. Pure.
//
// An endpoint that differs from an unchanged declaration has roamed: whoever speaks from there proved it by a handshake.
// A name that resolves to something else than before is no new declaration either.
import type { SeenPeer } from './seen.ts'

/** Beyond this age a session carries nothing (WireGuard paper, section 6.1: REJECT_AFTER_TIME). */
export const STALE_SECONDS = 180

/** What is kept of a peer over restarts of agent and device. */
export interface PeerMemory {
  /** The declaration that was last carried out. */
  declared?: string
  /** Numeric: where it was last heard. */
  endpoint?: string
}

export interface EndpointQuestion {
  declared: string | undefined
  remembered: PeerMemory | undefined
  /** Undefined: the peer is not on the device. */
  seen: SeenPeer | undefined
  /** Of the last handshake; undefined: never. */
  ageSeconds: number | undefined
  /** Numeric endpoints that the declaration leads to now; empty: none, or the name was not resolved. */
  leadsTo: readonly string[]
  /** Silent for so long that the next of several addresses gets its turn. */
  nextTurn: boolean
}

export interface EndpointAnswer {
  endpoint?: string
  renew?: boolean
}

export function decideEndpoint(q: EndpointQuestion): EndpointAnswer {
  const first = q.leadsTo[0]
  if (!q.seen) {
    const endpoint = first ?? q.remembered?.endpoint
    return endpoint === undefined ? {} : { endpoint }
  }
  if (first === undefined) return {}
  const at = q.seen.endpoint === undefined ? -1 : q.leadsTo.indexOf(q.seen.endpoint)
  const decided = q.remembered !== undefined && q.remembered.declared !== q.declared
  if (decided) return at >= 0 ? {} : { endpoint: first, renew: true }
  const stale = q.ageSeconds === undefined || q.ageSeconds >= STALE_SECONDS
  if (!stale) return {}
  if (at < 0) return { endpoint: first }
  const next = q.leadsTo[(at + 1) % q.leadsTo.length]
  return q.nextTurn && next !== undefined && next !== q.seen.endpoint ? { endpoint: next } : {}
}
