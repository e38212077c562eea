import { concat, lp } from './bytes.ts'
import { ed25519Sign, ed25519Verify } from './curves.ts'

/** What a signature is for; a signature of one domain is worthless in every other. */
export type Domain = 'ppn-bundle/1' | 'ppn-registry/1' | 'ppn-release/1' | 'ppn-authority/1' | 'ppn-claim/1'

const message = (domain: Domain, bytes: Uint8Array): Uint8Array => concat(lp(domain), bytes)

/** Ed25519 (64 bytes) over u16 length of the domain, the domain, and `bytes`. */
export function signDomain(domain: Domain, bytes: Uint8Array, secretKey: Uint8Array): Uint8Array {
  return ed25519Sign(message(domain, bytes), secretKey)
}

/** Never throws: whatever is malformed is false. */
export function verifyDomain(domain: Domain, bytes: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean {
  return ed25519Verify(message(domain, bytes), signature, publicKey)
}
