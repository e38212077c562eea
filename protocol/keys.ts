import { createHash, hkdfSync } from 'node:crypto'
import { PpnError } from '../base/errors.ts'
import type { RandomBytes } from '../base/random.ts'
import { concat, idBytes, lp, u32 } from './bytes.ts'
import { publicKeyOf, x25519 } from './curves.ts'
import type { EnrolmentId, MeshId, NodeId, Term } from './ids.ts'

/** Raw keys, 32 bytes each. */
export interface KeyPair {
  secretKey: Uint8Array
  publicKey: Uint8Array
}

/** Also fit for WireGuard: clamped as `wg genkey` does, so that the key `wg` shows is the key that was made. */
export function generateX25519(random: RandomBytes): KeyPair {
  const secretKey = new Uint8Array(random(32))
  secretKey[0]! &= 0b1111_1000
  secretKey[31]! = (secretKey[31]! & 0b0111_1111) | 0b0100_0000
  return { secretKey, publicKey: publicKeyOf('x25519', secretKey) }
}

export function generateEd25519(random: RandomBytes): KeyPair {
  const secretKey = new Uint8Array(random(32))
  return { secretKey, publicKey: publicKeyOf('ed25519', secretKey) }
}

export function x25519PublicKey(secretKey: Uint8Array): Uint8Array {
  return publicKeyOf('x25519', secretKey)
}

export function ed25519PublicKey(secretKey: Uint8Array): Uint8Array {
  return publicKeyOf('ed25519', secretKey)
}

export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

/** Padded standard base64 and nothing else: BadKey when another text would give the same bytes, or for a wrong length. */
export function fromBase64(text: string, length?: number): Uint8Array {
  const bytes = new Uint8Array(Buffer.from(text, 'base64'))
  if (toBase64(bytes) !== text) throw new PpnError('BadKey', { what: 'this text', why: 'not base64' })
  if (length !== undefined && bytes.length !== length)
    throw new PpnError('BadKey', { what: 'this text', why: `${bytes.length} bytes, not ${length}` })
  return bytes
}

/** What people compare: `SHA256:` and the unpadded base64 of the key's SHA-256, as ssh-keygen prints it. */
export function fingerprint(publicKey: Uint8Array): string {
  return `SHA256:${createHash('sha256').update(publicKey).digest('base64').replace(/=+$/, '')}`
}

/** The keys one node and one authority share for one term, 32 bytes each. */
export interface NodeKeys {
  /** Tags commands. */
  command: Uint8Array
  /** Tags telemetry frames. */
  telemetry: Uint8Array
}

export interface NodeKeyOptions {
  ownSecret: Uint8Array
  peerPublic: Uint8Array
  meshId: MeshId
  nodeId: NodeId
  enrolmentId: EnrolmentId
}

const COMMAND_KEY_LABEL = 'ppn-command-key/1'
const TELEMETRY_KEY_LABEL = 'ppn-telemetry-key/1'

/** `deriveNodeKeys` for many terms of the same two parties: the curve is computed once. */
export function nodeKeySchedule(options: NodeKeyOptions): (term: Term) => NodeKeys {
  const shared = x25519(options.ownSecret, options.peerPublic)
  const ids = concat(lp(idBytes(options.meshId)), lp(idBytes(options.nodeId)), lp(idBytes(options.enrolmentId)))
  const derive = (label: string, term: Term) =>
    new Uint8Array(hkdfSync('sha256', shared, new Uint8Array(), concat(lp(label), ids, lp(u32(term))), 32))
  return (term) => ({ command: derive(COMMAND_KEY_LABEL, term), telemetry: derive(TELEMETRY_KEY_LABEL, term) })
}

/**
 * The keys between a node and an authority for a term: HKDF-SHA-256 (RFC 5869) without salt over X25519 of the two
 * command keys; info is the length-prefixed label, mesh id, node id, enrolment id and term (u32). Both sides get the
 * same. Throws BadKey when the peer's key contributes nothing.
 */
export function deriveNodeKeys(options: NodeKeyOptions & { term: Term }): NodeKeys {
  return nodeKeySchedule(options)(options.term)
}
