// The keys shared with one node under one term (section 7.1, Key), derived when first needed.
import type { MeshId, Term } from '../../protocol/ids.ts'
import { fromBase64, type NodeKeys, nodeKeySchedule } from '../../protocol/keys.ts'
import type { RosterEntry } from '../roster.ts'

/** Terms kept per node: ours, and the few that its stale frames may speak. */
const TERMS_KEPT = 4

export interface NodeKeyRing {
  /** Throws BadKey when the node's public key is none. */
  of(entry: RosterEntry, term: Term): NodeKeys
}

interface Held {
  enrolmentId: string
  publicKey: string
  derive(term: Term): NodeKeys
  terms: Map<Term, NodeKeys>
}

export function nodeKeyRing(options: { meshId: MeshId; commandSecret: Uint8Array }): NodeKeyRing {
  const nodes = new Map<string, Held>()

  const heldOf = (entry: RosterEntry): Held => {
    const known = nodes.get(entry.node)
    if (known?.enrolmentId === entry.enrolmentId && known.publicKey === entry.commandPublicKey) return known
    const held: Held = {
      enrolmentId: entry.enrolmentId,
      publicKey: entry.commandPublicKey,
      derive: nodeKeySchedule({
        ownSecret: options.commandSecret,
        peerPublic: fromBase64(entry.commandPublicKey),
        meshId: options.meshId,
        nodeId: entry.nodeId,
        enrolmentId: entry.enrolmentId,
      }),
      terms: new Map(),
    }
    nodes.set(entry.node, held)
    return held
  }

  return {
    of(entry, term) {
      const { terms, derive } = heldOf(entry)
      const keys = terms.get(term) ?? derive(term)
      // Least recently used goes first: a Map keeps the order of insertion.
      terms.delete(term)
      terms.set(term, keys)
      if (terms.size > TERMS_KEPT) terms.delete(terms.keys().next().value as Term)
      return keys
    },
  }
}
