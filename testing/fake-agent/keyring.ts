// Whose tag a packet carries, and what telemetry is sealed with (section 7.1, "Key" and "Term").
import { verifyTag } from '../../protocol/command/tag.ts'
import type { AuthorityId, Term } from '../../protocol/ids.ts'
import { fromBase64, nodeKeySchedule } from '../../protocol/keys.ts'
import { contentOf, type Memory } from './memory.ts'

/** An agent tries its own term, then this many after it. */
const TERMS_AHEAD = 16

export interface Signer {
  term: Term
  /** The tag was made for the key that REKEY made. */
  pending: boolean
}

export interface Keyring {
  signerOf(packet: Uint8Array, term: Term): Signer | undefined
  telemetryKey(authority: AuthorityId, term: Term): Uint8Array
}

/** Of the keys and the bundle as they are now: to be made anew when either changes. */
export function keyringOf(memory: Memory): Keyring {
  const { pins, keys, pending } = memory
  const content = contentOf(memory)
  if (!pins || !content) throw new Error('a node without a bundle shares no keys')
  const { meshId, nodeId, enrolmentId } = pins
  const own = [{ pair: keys.command, pending: false }]
  const pairs = pending.command ? [...own, { pair: pending.command, pending: true }] : own
  const parties = content.authorities.flatMap(({ id, commandPublicKey }) =>
    pairs.map((party) => ({
      id,
      pending: party.pending,
      keys: nodeKeySchedule({
        ownSecret: party.pair.secretKey,
        peerPublic: fromBase64(commandPublicKey),
        meshId,
        nodeId,
        enrolmentId,
      }),
    })),
  )
  return {
    signerOf(packet, term) {
      for (let candidate = term; candidate <= term + TERMS_AHEAD; candidate++) {
        const party = parties.find(({ id, keys }) =>
          verifyTag(packet, keys(candidate).command, { meshId, authorityId: id, nodeId, enrolmentId, term: candidate }),
        )
        if (party) return { term: candidate, pending: party.pending }
      }
      return undefined
    },
    telemetryKey(authority, term) {
      const party = parties.find(({ id, pending }) => id === authority && !pending)
      if (!party) throw new Error(`authority ${authority} is not in the bundle`)
      return party.keys(term).telemetry
    },
  }
}
