import fc from 'fast-check'
import { expect, test } from 'vitest'
import { systemRandom } from '../../base/random.ts'
import { generateEd25519 } from '../keys.ts'
import { CLAIM_BYTES, encodeClaim, readClaim, signGrant, verifyGrant } from './claim-frame.ts'
import { initiate } from './initiator.ts'

const authority = generateEd25519(systemRandom)
const operator = generateEd25519(systemRandom)
const { hello } = initiate({ purpose: 'claim', selector: 'ABCD', code: '0123-4567', random: systemRandom })

test('a claim says who claims, with whose blessing, and holds the HELLO as it is', () => {
  const grant = signGrant(authority.publicKey, operator.secretKey)
  const claim = readClaim(encodeClaim(authority.publicKey, hello, grant))
  expect(claim).toEqual({ signingPublicKey: authority.publicKey, grant, hello })
  expect(claim && verifyGrant(claim, operator.publicKey)).toBe(true)
})

test('no signature, or one for another authority, or by another operator, is no blessing', () => {
  const other = generateEd25519(systemRandom)
  const blessed = (bytes: Uint8Array) => verifyGrant(readClaim(bytes)!, operator.publicKey)
  expect(blessed(encodeClaim(authority.publicKey, hello))).toBe(false)
  expect(blessed(encodeClaim(other.publicKey, hello, signGrant(authority.publicKey, operator.secretKey)))).toBe(false)
  expect(blessed(encodeClaim(authority.publicKey, hello, signGrant(authority.publicKey, other.secretKey)))).toBe(false)
})

test('a HELLO for joining is no claim', () => {
  const joining = initiate({ purpose: 'join', selector: 'ABCD', code: '0123-4567', random: systemRandom })
  expect(readClaim(encodeClaim(authority.publicKey, joining.hello))).toBeUndefined()
})

test('whatever comes, reading it throws nothing, and only the one length is read', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(readClaim(bytes) === undefined || bytes.length === CLAIM_BYTES).toBe(true)
    }),
  )
})
