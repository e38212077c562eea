import fc from 'fast-check'
import { expect, test } from 'vitest'
import { seededRandom } from '../testing/seeded-random.ts'
import {
  deriveNodeKeys,
  ed25519PublicKey,
  fingerprint,
  fromBase64,
  generateEd25519,
  generateX25519,
  nodeKeySchedule,
  toBase64,
  x25519PublicKey,
} from './keys.ts'

const random = seededRandom('keys')
const authority = generateX25519(random)
const node = generateX25519(random)
const ids = { meshId: 'a'.repeat(32), nodeId: 'b'.repeat(32), enrolmentId: 'c'.repeat(32) }
const ofNode = { ownSecret: node.secretKey, peerPublic: authority.publicKey, ...ids, term: 7 }

test('node and authority derive the same keys, one for commands and another for telemetry', () => {
  const atNode = deriveNodeKeys(ofNode)
  const atAuthority = deriveNodeKeys({ ...ofNode, ownSecret: authority.secretKey, peerPublic: node.publicKey })
  expect(atAuthority).toEqual(atNode)
  expect(atNode.command).not.toEqual(atNode.telemetry)
  expect([atNode.command.length, atNode.telemetry.length]).toEqual([32, 32])
})

test.each([
  ['mesh', { meshId: 'd'.repeat(32) }],
  ['node', { nodeId: 'd'.repeat(32) }],
  ['enrolment', { enrolmentId: 'd'.repeat(32) }],
  ['term', { term: 8 }],
  ['pair of keys', { peerPublic: generateX25519(random).publicKey }],
])('another %s has other keys', (_, change) => {
  const [one, other] = [deriveNodeKeys(ofNode), deriveNodeKeys({ ...ofNode, ...change })]
  expect(other.command).not.toEqual(one.command)
  expect(other.telemetry).not.toEqual(one.telemetry)
})

test('a schedule gives the keys of each term', () => {
  const keysOf = nodeKeySchedule(ofNode)
  for (const term of [0, 7, 0xffff_ffff]) expect(keysOf(term)).toEqual(deriveNodeKeys({ ...ofNode, term }))
})

test('a secret key gives its public half again', () => {
  const signing = generateEd25519(random)
  expect(ed25519PublicKey(signing.secretKey)).toEqual(signing.publicKey)
  expect(x25519PublicKey(node.secretKey)).toEqual(node.publicKey)
})

test('an X25519 secret is clamped as RFC 7748 section 5 says, so that wg shows the key that was made', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const { secretKey } = generateX25519(seededRandom(seed))
      expect((secretKey[0] as number) & 7).toBe(0)
      expect((secretKey[31] as number) & 0b1100_0000).toBe(0b0100_0000)
    }),
    { numRuns: 20 },
  )
})

test('base64 goes both ways, and only the one spelling is taken', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      expect(fromBase64(toBase64(bytes))).toEqual(bytes)
    }),
  )
  const wrong = expect.objectContaining({ code: 'BadKey' })
  for (const text of ['AA', 'AB==', 'AA==\n', ' AA==', '-_-_', 'AA=='.repeat(2)]) {
    expect(() => fromBase64(text)).toThrow(wrong)
  }
  expect(() => fromBase64(toBase64(new Uint8Array(31)), 32)).toThrow(wrong)
})

test('a fingerprint is that of ssh-keygen: SHA-256 in unpadded base64', () => {
  expect(fingerprint(new Uint8Array())).toBe('SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU')
})
