import { randomBytes } from 'node:crypto'

/** `n` bytes from the system's entropy, or from a seed in tests. */
export type RandomBytes = (n: number) => Uint8Array

export const systemRandom: RandomBytes = (n) => new Uint8Array(randomBytes(n))

/** 32 lower-case hex digits: the form of every ppn id. */
export function randomId(random: RandomBytes): string {
  return Buffer.from(random(16)).toString('hex')
}
