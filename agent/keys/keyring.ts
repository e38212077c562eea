// The symmetric keys this node shares with its authorities, derived when first needed and kept.
import { commandVerifier } from '../../protocol/command/tag.ts'
import type { AuthorityId, EnrolmentId, MeshId, NodeId, Term } from '../../protocol/ids.ts'
import { fromBase64, type KeyPair, type NodeKeys, nodeKeySchedule } from '../../protocol/keys.ts'
import type { AgentKeys } from './agent-keys.ts'

/** An agent tries its own term and this many after it. */
export const TERM_WINDOW = 16

export interface KeyringAuthority {
  id: AuthorityId
  commandPublicKey: string
}

export interface Verdict {
  term: Term
  authorityId: AuthorityId
  /** The tag was made for the key that REKEY made: it can be taken into use. */
  pendingKey: boolean
}

export interface Keyring {
  /** Whose tag the packet carries, under `term` or one of the 16 after it. */
  verify(packet: Uint8Array, term: Term): Verdict | undefined
  telemetryKey(authority: AuthorityId, term: Term): Uint8Array | undefined
}

interface Candidate {
  verdict: Verdict
  verify(packet: Uint8Array): boolean
}

export function createKeyring(options: {
  meshId: MeshId
  nodeId: NodeId
  enrolmentId: EnrolmentId
  authorities: readonly KeyringAuthority[]
  keys: AgentKeys
}): Keyring {
  const { meshId, nodeId, enrolmentId, authorities, keys } = options
  const byTerm = new Map<Term, Candidate[]>()

  const schedule = (pair: KeyPair, authority: KeyringAuthority): ((term: Term) => NodeKeys) =>
    nodeKeySchedule({
      ownSecret: pair.secretKey,
      peerPublic: fromBase64(authority.commandPublicKey),
      meshId,
      nodeId,
      enrolmentId,
    })
  const parties = authorities.flatMap((authority) => {
    const own = { authorityId: authority.id, pendingKey: false, keysOf: schedule(keys.command, authority) }
    const { command: pending } = keys.pending
    if (!pending) return [own]
    return [own, { authorityId: authority.id, pendingKey: true, keysOf: schedule(pending, authority) }]
  })
  const candidatesOf = (term: Term): Candidate[] =>
    parties.map(({ authorityId, pendingKey, keysOf }) => ({
      verdict: { term, authorityId, pendingKey },
      verify: commandVerifier(keysOf(term).command, { meshId, authorityId, nodeId, enrolmentId, term }),
    }))
  const cached = (term: Term): Candidate[] => {
    let found = byTerm.get(term)
    if (!found) {
      found = candidatesOf(term)
      byTerm.set(term, found)
    }
    return found
  }

  return {
    verify(packet, term) {
      // Keys of terms left behind are not needed again: a term never falls.
      if (byTerm.size > TERM_WINDOW * 2) for (const t of byTerm.keys()) if (t < term) byTerm.delete(t)
      for (let t = term; t <= term + TERM_WINDOW; t++) {
        for (const candidate of cached(t)) if (candidate.verify(packet)) return candidate.verdict
      }
      return undefined
    },
    telemetryKey: (authority, term) =>
      parties.find((p) => p.authorityId === authority && !p.pendingKey)?.keysOf(term).telemetry,
  }
}
