// The ops of section 7.1. `Command` is what a packet says, apart from sequence and tag.
import type { Slot } from '../ids.ts'

export const OP = {
  PING: 0x01,
  APPLY: 0x02,
  ISOLATE: 0x03,
  POWER: 0x04,
  BALLOON: 0x05,
  WEIGHT: 0x06,
  REKEY: 0x07,
  SEVER: 0x08,
} as const
export type OpName = keyof typeof OP
export type Op = (typeof OP)[OpName]

export const POWER = { stop: 0, start: 1, cut: 2, suspend: 3 } as const
/** BALLOON counts in units of this many MiB. */
export const BALLOON_UNIT_MIB = 16
export const TARGET_ALL = 255

/** What should be happening now, as one op on one slot. */
export interface Command {
  op: Op
  slot: Slot
  /** u16 */
  value: number
}

export function opName(op: number): OpName | undefined {
  return (Object.keys(OP) as OpName[]).find((name) => OP[name] === op)
}
