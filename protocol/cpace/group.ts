// The group of CPACE-RISTR255-SHA512 (draft-irtf-cfrg-cpace-21, section 8.2): ristretto255 of RFC 9496, with the hash
// of the suite. Scalars travel as 32 bytes little-endian, so that they can be wiped; elements as RFC 9496 encodes them.
import { createHash } from 'node:crypto'
import { ristretto255, ristretto255_hasher } from '@noble/curves/ed25519.js'
import type { RandomBytes } from '../../base/random.ts'

const { Point } = ristretto255
const ORDER = Point.Fn.ORDER

/** Of scalars and of encoded elements. */
export const ELEMENT_BYTES = 32
/** Input block of SHA-512 (FIPS 180-4). */
export const HASH_BLOCK_BYTES = 128

export function sha512(...parts: Uint8Array[]): Uint8Array {
  const hash = createHash('sha512')
  for (const part of parts) hash.update(part)
  return new Uint8Array(hash.digest())
}

const littleEndian = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex') || '0'}`)

/** A scalar from 1 to order - 1: 64 random bytes leave a bias of 2^-259. */
export function sampleScalar(random: RandomBytes): Uint8Array {
  const wide = random(64)
  const scalar = (littleEndian(wide) % (ORDER - 1n)) + 1n
  wide.fill(0)
  return new Uint8Array(Buffer.from(scalar.toString(16).padStart(64, '0'), 'hex').reverse())
}

/** The element of a hash of 64 bytes (RFC 9496 section 4.3.4), encoded. */
export function deriveElement(hash: Uint8Array): Uint8Array {
  const derive = ristretto255_hasher.deriveToCurve
  if (!derive) throw new Error('this build of the curve library has no element derivation')
  return derive(hash).toBytes()
}

/**
 * scalar_mult_vfy: `scalar` times the encoded element. Undefined where the draft says to abort: not the one encoding of
 * an element, or the product is the identity.
 */
export function scalarMultVfy(scalar: Uint8Array, element: Uint8Array): Uint8Array | undefined {
  if (element.length !== ELEMENT_BYTES) return undefined
  const factor = littleEndian(scalar) % ORDER
  try {
    const point = Point.fromBytes(element)
    if (point.is0() || factor === 0n) return undefined
    return point.multiply(factor).toBytes()
  } catch {
    return undefined
  }
}
