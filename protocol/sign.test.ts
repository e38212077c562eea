import { expect, test } from 'vitest'
import { seededRandom } from '../testing/seeded-random.ts'
import { generateEd25519, toBase64 } from './keys.ts'
import { signRelease, verifyRelease } from './release.ts'
import { type Domain, signDomain, verifyDomain } from './sign.ts'

const key = generateEd25519(seededRandom('sign'))
const other = generateEd25519(seededRandom('other'))
const bytes = new TextEncoder().encode('what is signed')
const DOMAINS: Domain[] = ['ppn-bundle/1', 'ppn-registry/1', 'ppn-release/1', 'ppn-authority/1']

test('a signature holds in its own domain alone', () => {
  for (const domain of DOMAINS) {
    const signature = signDomain(domain, bytes, key.secretKey)
    expect(DOMAINS.filter((one) => verifyDomain(one, bytes, signature, key.publicKey))).toEqual([domain])
  }
})

test('bytes moved between the domain and what is signed do not fit', () => {
  const signature = signDomain('ppn-bundle/1', bytes, key.secretKey)
  const shorter = bytes.subarray(1)
  expect(
    verifyDomain(`ppn-bundle/1${String.fromCharCode(bytes[0] as number)}` as Domain, shorter, signature, key.publicKey),
  ).toBe(false)
})

test('another key, other bytes and malformed input are false, never an error', () => {
  const signature = signDomain('ppn-bundle/1', bytes, key.secretKey)
  expect(verifyDomain('ppn-bundle/1', bytes, signature, other.publicKey)).toBe(false)
  expect(verifyDomain('ppn-bundle/1', bytes.subarray(1), signature, key.publicKey)).toBe(false)
  expect(verifyDomain('ppn-bundle/1', bytes, signature.subarray(1), key.publicKey)).toBe(false)
  expect(verifyDomain('ppn-bundle/1', bytes, signature, new Uint8Array(5))).toBe(false)
})

test('a release record is good for its archive, epoch, node and mesh alone', () => {
  const record = { meshId: 'a'.repeat(32), nodeId: 'b'.repeat(32), archive: 'c'.repeat(32), fencingEpoch: 4 }
  const signature = signRelease(record, key.secretKey)
  expect(verifyRelease(record, signature, key.publicKey)).toBe(true)
  expect(verifyRelease(record, signature, other.publicKey)).toBe(false)
  for (const change of [{ meshId: 'd'.repeat(32) }, { nodeId: 'd'.repeat(32) }, { archive: 'd'.repeat(32) }]) {
    expect(verifyRelease({ ...record, ...change }, signature, key.publicKey)).toBe(false)
  }
  expect(verifyRelease({ ...record, fencingEpoch: 5 }, signature, key.publicKey)).toBe(false)
  expect(verifyRelease(record, 'not base64', key.publicKey)).toBe(false)
  expect(verifyRelease(record, toBase64(new Uint8Array(64)), key.publicKey)).toBe(false)
})
