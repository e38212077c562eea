// Sequences are a hybrid clock: ticks of 1/16 s since the mesh began, but always above the last one.
import { PpnError } from '../../base/errors.ts'
import type { Sequence } from '../ids.ts'

const TICKS_PER_SECOND = 16
const MS_PER_TICK = 1000 / TICKS_PER_SECOND
const MAX = 0xffff_ffff

/** Whole ticks since the mesh epoch, within 0 and 2^32-1. */
export function sequenceAt(meshEpochMs: number, nowMs: number): Sequence {
  return Math.min(MAX, Math.max(0, Math.floor((nowMs - meshEpochMs) / MS_PER_TICK)))
}

/** max(last + 1, now). Throws SequenceExhausted after 2^32-1, 8.5 years of ticks. */
export function nextSequence(last: Sequence | undefined, meshEpochMs: number, nowMs: number): Sequence {
  const now = sequenceAt(meshEpochMs, nowMs)
  if (last === undefined || now > last) return now
  if (last >= MAX) throw new PpnError('SequenceExhausted')
  return last + 1
}

/** By how many milliseconds a sequence's instant lies ahead of `nowMs`; negative when it lies behind. */
export function ticksAheadMs(sequence: Sequence, meshEpochMs: number, nowMs: number): number {
  return meshEpochMs + sequence * MS_PER_TICK - nowMs
}
