// The authority's beacon: 16 bytes, big-endian, broadcast to UDP 8090 of a local network (DESIGN 7.5). Nothing in it is
// authenticated: it says where a machine without a fleet may call, and nothing is believed because of it.
//
//   byte 0      0xB0
//        1      target, always 0
//        2      version, 1
//        3-4    TCP port of the ceremony
//        5-15   first 88 bits of the SHA-256 of the authority's signing key
import { createHash } from 'node:crypto'

export const BEACON_OP = 0xb0
export const BEACON_BYTES = 16
/** The command port as a Mesh has it by default: a machine without a fleet knows no other. */
export const BEACON_PORT = 8090
const VERSION = 1
const PREFIX_BYTES = 11

export interface Beacon {
  pairingPort: number
  /** `SHA256:` and what 88 bits give of the base64 that `fingerprint` prints: 14 symbols. */
  fingerprintPrefix: string
}

export function encodeBeacon(pairingPort: number, signingPublicKey: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(BEACON_BYTES)
  bytes.set([BEACON_OP, 0, VERSION])
  new DataView(bytes.buffer).setUint16(3, pairingPort)
  bytes.set(createHash('sha256').update(signingPublicKey).digest().subarray(0, PREFIX_BYTES), 5)
  return bytes
}

/** Undefined: not a beacon of this version. */
export function readBeacon(bytes: Uint8Array): Beacon | undefined {
  const [op, target, version] = bytes
  if (bytes.length !== BEACON_BYTES || op !== BEACON_OP || target !== 0 || version !== VERSION) return undefined
  const pairingPort = new DataView(bytes.buffer, bytes.byteOffset).getUint16(3)
  if (pairingPort === 0) return undefined
  // 88 bits are 14 symbols of 6 bits and 4 bits that the next symbol shares.
  const prefix = Buffer.from(bytes.subarray(5)).toString('base64').slice(0, 14)
  return { pairingPort, fingerprintPrefix: `SHA256:${prefix}` }
}
