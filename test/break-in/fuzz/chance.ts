// What a fuzzer draws from: fast, and the same in every run with this seed (mulberry32, Tommy Ettinger 2017).

export interface Chance {
  /** A whole number from 0 to `below` - 1. */
  upTo(below: number): number
  /** True in one case of `cases`. */
  oneIn(cases: number): boolean
  pick<T>(from: readonly T[]): T
  bytes(length: number): Uint8Array
}

export function chance(seed: number): Chance {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return (t ^ (t >>> 14)) >>> 0
  }
  const upTo = (below: number) => Math.floor((next() / 2 ** 32) * below)
  return {
    upTo,
    oneIn: (cases) => upTo(cases) === 0,
    pick: (from) => from[upTo(from.length)] as (typeof from)[number],
    bytes: (length) => Uint8Array.from({ length }, () => next() & 255),
  }
}
