// The first and only thing a node that holds (DESIGN 7.5) listens to: who claims, with whose blessing, and the HELLO of
// the ceremony. Behind the u32 length every frame has.
//
//   byte 0      8
//        1-32   signing key of the authority that claims
//        33-96  signature of the operator key over that key, domain "ppn-claim/1"; zero bytes: none
//        97-151 HELLO, its type byte included, purpose claim
import { concat } from '../bytes.ts'
import { signDomain, verifyDomain } from '../sign.ts'
import { HELLO_BYTES, MESSAGE, PAIRING_VERSION, readHello } from './wire.ts'

const CLAIM = 8
const KEY_BYTES = 32
const SIGNATURE_BYTES = 64
const HELLO_AT = 1 + KEY_BYTES + SIGNATURE_BYTES
export const CLAIM_BYTES = HELLO_AT + HELLO_BYTES

export interface Claim {
  signingPublicKey: Uint8Array
  /** 64 bytes; zero when there is none. */
  grant: Uint8Array
  hello: Uint8Array
}

/** What the holder of the operator key gives an authority, so that it may claim nodes that know this operator. */
export function signGrant(signingPublicKey: Uint8Array, operatorSecret: Uint8Array): Uint8Array {
  return signDomain('ppn-claim/1', signingPublicKey, operatorSecret)
}

export function verifyGrant(claim: Pick<Claim, 'signingPublicKey' | 'grant'>, operatorKey: Uint8Array): boolean {
  return verifyDomain('ppn-claim/1', claim.signingPublicKey, claim.grant, operatorKey)
}

export function encodeClaim(signingPublicKey: Uint8Array, hello: Uint8Array, grant?: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(CLAIM), signingPublicKey, grant ?? new Uint8Array(SIGNATURE_BYTES), hello)
}

/** Undefined: not a claim of this version. Says nothing about its signature. */
export function readClaim(bytes: Uint8Array): Claim | undefined {
  if (bytes.length !== CLAIM_BYTES || bytes[0] !== CLAIM) return undefined
  const hello = bytes.slice(HELLO_AT)
  if (hello[0] !== MESSAGE.HELLO) return undefined
  const { version, purpose } = readHello(hello.subarray(1))
  if (version !== PAIRING_VERSION || purpose !== 'claim') return undefined
  return {
    signingPublicKey: bytes.slice(1, 1 + KEY_BYTES),
    grant: bytes.slice(1 + KEY_BYTES, HELLO_AT),
    hello,
  }
}
