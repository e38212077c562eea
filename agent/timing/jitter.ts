import type { RandomBytes } from '../../base/random.ts'

/** A whole number from 0 up to but not including `below` (at least 1); good enough for jitter. */
export function randomInt(random: RandomBytes, below: number): number {
  const bytes = random(4)
  const word = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0)
  return Math.floor((word / 0x1_0000_0000) * Math.max(1, below))
}
