import { createHash } from 'node:crypto'
import type { RandomBytes } from '../base/random.ts'

/** Bytes that look random and are the same in every run with this seed: SHA-256 of seed and a counter. */
export function seededRandom(seed: number | string): RandomBytes {
  let counter = 0
  let pool = new Uint8Array()
  return (n) => {
    while (pool.length < n) {
      const block = createHash('sha256').update(`${seed}/${counter++}`).digest()
      pool = new Uint8Array(Buffer.concat([pool, block]))
    }
    const bytes = pool.slice(0, n)
    pool = pool.slice(n)
    return bytes
  }
}
