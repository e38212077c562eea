// The next sequence of each (node, op, slot): a hybrid clock (section 7.1, Sequence). Nothing of it is durable: the
// term rises at every start, and marks compare by (term, sequence).

import type { Op } from '../../protocol/command/ops.ts'
import { nextSequence, ticksAheadMs } from '../../protocol/command/sequence.ts'
import type { Sequence, Slot } from '../../protocol/ids.ts'

/** How far a sequence may run ahead of the clock; a node refuses what is more than 120 s off. */
export const MAX_AHEAD_MS = 30_000

export type NextSequence = { ok: true; sequence: Sequence } | { ok: false; waitMs: number }

export interface Sequences {
  /** The next sequence, or how long to wait for one. `nowMs`: wall clock. */
  next(node: string, op: Op, slot: Slot, nowMs: number): NextSequence
  last(node: string, op: Op, slot: Slot): Sequence | undefined
  /**
   * A sequence at or above every one given for this node so far; all later ones lie above it. It is what a bundle
   * names as `minSequence` when a node lost its marks.
   */
  ceiling(node: string, nowMs: number): Sequence
}

export function opSlot(op: Op, slot: Slot): number {
  return op * 256 + slot
}

export function sequences(meshEpochMs: number): Sequences {
  const nodes = new Map<string, { last: Map<number, Sequence>; highest: Sequence; floor: Sequence | undefined }>()
  const of = (node: string) => {
    let state = nodes.get(node)
    if (!state) {
      state = { last: new Map(), highest: 0, floor: undefined }
      nodes.set(node, state)
    }
    return state
  }
  const above = (last: Sequence | undefined, floor: Sequence | undefined): Sequence | undefined =>
    last === undefined ? floor : Math.max(last, floor ?? 0)

  return {
    next(node, op, slot, nowMs) {
      const state = of(node)
      const sequence = nextSequence(above(state.last.get(opSlot(op, slot)), state.floor), meshEpochMs, nowMs)
      const aheadMs = ticksAheadMs(sequence, meshEpochMs, nowMs)
      if (aheadMs > MAX_AHEAD_MS) return { ok: false, waitMs: Math.ceil(aheadMs - MAX_AHEAD_MS) }
      state.last.set(opSlot(op, slot), sequence)
      state.highest = Math.max(state.highest, sequence)
      return { ok: true, sequence }
    },
    last: (node, op, slot) => nodes.get(node)?.last.get(opSlot(op, slot)),
    ceiling(node, nowMs) {
      const state = of(node)
      state.floor = Math.max(state.highest, state.floor ?? 0, nextSequence(undefined, meshEpochMs, nowMs))
      return state.floor
    },
  }
}
