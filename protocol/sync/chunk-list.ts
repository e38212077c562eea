// A disk is pushed in chunks of 1 MiB, each of which is proved as it comes: the root of the chunk list is the Merkle
// tree hash of RFC 6962 section 2.1 over the chunks (SHA-256; leaves hashed behind a 0 byte, nodes behind a 1).
import { createHash } from 'node:crypto'
import type { Digest } from '../ids.ts'

const LEAF = Uint8Array.of(0)
const NODE = Uint8Array.of(1)
const sha256 = (...parts: Uint8Array[]): Uint8Array => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return new Uint8Array(hash.digest())
}

/** The entry of one chunk in the list. */
export function chunkHash(chunk: Uint8Array): Uint8Array {
  return sha256(LEAF, chunk)
}

/** The largest power of two below n. */
const split = (n: number): number => 2 ** Math.ceil(Math.log2(n) - 1)

interface Branch {
  hash: Uint8Array
  /** Chunks below. */
  count: number
  left?: Branch
  right?: Branch
}

function grow(list: readonly Uint8Array[], from: number, count: number): Branch {
  if (count === 1) return { hash: list[from] as Uint8Array, count }
  const k = split(count)
  const left = grow(list, from, k)
  const right = grow(list, from + k, count - k)
  return { hash: sha256(NODE, left.hash, right.hash), count, left, right }
}

export interface ChunkList {
  root: Digest
  /** The audit path of RFC 6962 section 2.1.1 for one chunk, nearest sibling first. */
  proof(index: number): Uint8Array[]
}

/** The list of a disk's chunk hashes, at least one. Keeps two hashes a chunk, so that a proof costs no hashing. */
export function chunkList(hashes: readonly Uint8Array[]): ChunkList {
  if (hashes.length === 0) throw new RangeError('a disk has at least one chunk')
  const top = grow(hashes, 0, hashes.length)
  return {
    root: Buffer.from(top.hash).toString('hex'),
    proof(index) {
      if (!(index >= 0 && index < top.count)) throw new RangeError(`no chunk ${index} of ${top.count}`)
      const path: Uint8Array[] = []
      let at = index
      for (let branch = top; branch.left && branch.right; ) {
        const inLeft = at < branch.left.count
        path.unshift(inLeft ? branch.right.hash : branch.left.hash)
        if (!inLeft) at -= branch.left.count
        branch = inLeft ? branch.left : branch.right
      }
      return path
    },
  }
}

/** Whether `chunk` is number `index` of the `count` chunks under `root`. */
export function chunkFits(
  root: Digest,
  count: number,
  index: number,
  chunk: Uint8Array,
  proof: readonly Uint8Array[],
): boolean {
  if (!(index >= 0 && index < count)) return false
  // From the root down: on which side of each split the chunk lies; the proof is used from the leaf up.
  const sides: ('left' | 'right')[] = []
  for (let [at, n] = [index, count]; n > 1; ) {
    const k = split(n)
    sides.push(at < k ? 'left' : 'right')
    ;[at, n] = at < k ? [at, k] : [at - k, n - k]
  }
  if (proof.length !== sides.length) return false
  let hash = chunkHash(chunk)
  for (const sibling of proof) hash = sides.pop() === 'left' ? sha256(NODE, hash, sibling) : sha256(NODE, sibling, hash)
  return Buffer.from(hash).toString('hex') === root
}
