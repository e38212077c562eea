import type { RandomBytes } from '../../../base/random.ts'

/** A stream of bytes that is the same every time (xorshift32). */
export function seededRandom(seed = 1): RandomBytes {
  let x = seed | 1
  return (n) =>
    Uint8Array.from({ length: n }, () => {
      x ^= x << 13
      x ^= x >>> 17
      x ^= x << 5
      return x & 0xff
    })
}
