import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BUNDLE_LIMIT } from '../bundle/seal.ts'
import { chunkFits, chunkHash, chunkList } from './chunk-list.ts'
import { CHUNK_BYTES, decodeSyncFrame, encodeSyncFrame, type SyncFrame } from './frame.ts'

const hex = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => Buffer.from(bytes).toString('hex'))
const frame: fc.Arbitrary<SyncFrame> = fc.oneof(
  fc.record({ type: fc.constant('bundle' as const), bundle: fc.uint8Array({ minLength: 1 }) }),
  fc.record({
    type: fc.constant('offer' as const),
    offer: fc.record({
      archive: hex(16),
      fencingEpoch: fc.nat(),
      root: hex(32),
      sizeBytes: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    }),
  }),
  fc.record({
    type: fc.constant('chunk' as const),
    index: fc.nat(0xffff_ffff),
    proof: fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { maxLength: 32 }),
    bytes: fc.uint8Array({ minLength: 1 }),
  }),
  fc.constant({ type: 'end' as const }),
  fc.record({ type: fc.constant('operator' as const), document: fc.uint8Array({ minLength: 1, maxLength: 100 }) }),
)

test('frames are decoded as they were encoded', () => {
  fc.assert(
    fc.property(frame, (one) => {
      expect(decodeSyncFrame(encodeSyncFrame(one))).toEqual(one)
    }),
  )
})

test('arbitrary bytes give a frame or nothing, never an error', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 6 }), fc.uint8Array({ maxLength: 60 }), (type, body) => {
      const decoded = decodeSyncFrame(Uint8Array.of(type, ...body))
      if (decoded) expect(encodeSyncFrame(decoded)).toEqual(Uint8Array.of(type, ...body))
    }),
  )
})

test('a whole chunk with the longest proof and a bundle at its limit fit; a byte more does not', () => {
  const proof = Array.from({ length: 32 }, () => new Uint8Array(32))
  const chunk = (length: number): SyncFrame => ({ type: 'chunk', index: 0, proof, bytes: new Uint8Array(length) })
  expect(decodeSyncFrame(encodeSyncFrame(chunk(CHUNK_BYTES)))).toMatchObject({ type: 'chunk' })
  expect(() => encodeSyncFrame(chunk(CHUNK_BYTES + 1))).toThrow(expect.objectContaining({ code: 'FrameTooLong' }))
  const bundle = (length: number): SyncFrame => ({ type: 'bundle', bundle: new Uint8Array(length) })
  expect(decodeSyncFrame(encodeSyncFrame(bundle(BUNDLE_LIMIT)))).toMatchObject({ type: 'bundle' })
  expect(() => encodeSyncFrame(bundle(BUNDLE_LIMIT + 1))).toThrow(expect.objectContaining({ code: 'FrameInvalid' }))
})

const disk = fc.array(fc.uint8Array({ maxLength: 8 }), { minLength: 1, maxLength: 40 })

test('every chunk of a disk is proved by its own proof, in a list of any length', () => {
  fc.assert(
    fc.property(disk, (chunks) => {
      const list = chunkList(chunks.map(chunkHash))
      chunks.forEach((chunk, i) => {
        expect(chunkFits(list.root, chunks.length, i, chunk, list.proof(i))).toBe(true)
      })
    }),
  )
})

test('a chunk is not taken for another, nor with another place, count or proof', () => {
  const chunks = Array.from({ length: 7 }, (_, i) => Uint8Array.of(i))
  const list = chunkList(chunks.map(chunkHash))
  const chunk = (i: number) => chunks[i] as Uint8Array
  for (let i = 0; i < 7; i++) {
    for (let place = -1; place <= 7; place++) {
      expect(chunkFits(list.root, 7, place, chunk(i), list.proof(i))).toBe(place === i)
    }
    expect(chunkFits(list.root, 7, i, Uint8Array.of(99), list.proof(i))).toBe(false)
    expect(chunkFits(list.root, 7, i, chunk(i), list.proof(i).slice(1))).toBe(false)
    expect(chunkFits(list.root, 7, i, chunk(i), [...list.proof(i), new Uint8Array(32)])).toBe(false)
    expect(chunkFits('0'.repeat(64), 7, i, chunk(i), list.proof(i))).toBe(false)
  }
  expect(chunkFits(list.root, 15, 0, chunk(0), list.proof(0))).toBe(false)
})

// RFC 6962 section 2.1.3 draws this tree; the hashes are those of its reference implementation's test data.
test('the root is the Merkle tree hash of RFC 6962', () => {
  const leaves = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f']
  const hashes = leaves.map((leaf) => chunkHash(Buffer.from(leaf, 'hex')))
  expect(Buffer.from(hashes[0] as Uint8Array).toString('hex')).toBe(
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  )
  expect(chunkList(hashes.slice(0, 2)).root).toBe('fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125')
  expect(chunkList(hashes).root).toBe('5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328')
})
