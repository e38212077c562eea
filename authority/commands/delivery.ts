// One command on its way to one (node, op, slot), as a pure state machine:
//
//   Held -- the gate opens --> sent 0, 100, 300 ms, then backing off -- the mark is shown --> Shown
//    ^------- the gate shuts -------|                 ^---- the mark is lost again ----|
//
// It ends only by being withdrawn. A retransmission repeats the same sequence, hence the same bytes, until the
// sequence is so old that a receiver might refuse it; then it takes a fresh one.
import { OP, type Op } from '../../protocol/command/ops.ts'
import { compareSequence, type Sequence, type SequenceMark, type Slot, type Term } from '../../protocol/ids.ts'
import { burstOf, delayAfter, OPS_TO_UNHEARD } from './schedule.ts'
import type { NextSequence } from './sequences.ts'

/** Half of the 120 s after which a synchronised node refuses a sequence. */
const REFRESH_MS = 60_000
/** While no sequence may be given: the wall clock may be set meanwhile, so look again this often. */
const SEQUENCE_POLL_MS = 1_000

export interface Delivery {
  readonly scope: string
  readonly op: Op
  readonly slot: Slot
  readonly value: number
  readonly reissue: number
  /** Absent until the first packet, and when the next one must be a fresh command. */
  readonly stamp?: { readonly term: Term; readonly sequence: Sequence; readonly atMs: number }
  /** Packets sent to the node. */
  readonly sent: number
  /** Clock.monotonic() of the first packet. */
  readonly firstSentMs?: number
  /** Clock.monotonic() of the next step; absent: when the node's facts change. */
  readonly dueMs?: number
  /** Why nothing goes out now. */
  readonly held?: string
}

/** What is known of the node at this moment. */
export interface NodeFacts {
  /** Nothing may be sent to it: not enrolled, still listening, superseded. */
  silence?: string
  connected: boolean
  /** Ops its agent reads; unknown before its first report. */
  ops?: readonly number[]
  /** The mark that fresh telemetry shows for (op, slot). */
  shown(op: Op, slot: Slot): SequenceMark | undefined
}

export interface StepInput {
  nowMs: number
  term: Term
  facts: NodeFacts
  nextSequence(): NextSequence
  /** A random number in [0, 1). */
  spread: number
}

export interface Step {
  delivery: Delivery
  /** A packet to send now. `copies`: the other nodes get theirs, too. */
  send?: { sequence: Sequence; fresh: boolean; copies: boolean }
}

/** Why this op must not go to the node now; undefined: it may. */
export function heldBecause(op: Op, facts: NodeFacts): string | undefined {
  if (facts.silence) return facts.silence
  if (!facts.connected && !OPS_TO_UNHEARD.has(op)) return 'NotConnected'
  // Every agent reads PING: without it none could ever be heard.
  if (op !== OP.PING && facts.ops && !facts.ops.includes(op)) return 'OpNotRead'
  return undefined
}

export function stepDelivery(delivery: Delivery, input: StepInput): Step {
  const { nowMs, term, facts } = input
  const held = heldBecause(delivery.op, facts)
  if (held) return { delivery: { ...delivery, held, dueMs: undefined } }
  if (isShown(delivery, facts)) return { delivery: { ...delivery, held: undefined, dueMs: undefined } }

  const stale = !delivery.stamp || delivery.stamp.term !== term || nowMs - delivery.stamp.atMs >= REFRESH_MS
  let stamp = delivery.stamp
  if (stale || !stamp) {
    const next = input.nextSequence()
    if (!next.ok) {
      const dueMs = nowMs + Math.min(SEQUENCE_POLL_MS, next.waitMs)
      return { delivery: { ...delivery, held: 'SequenceAhead', dueMs } }
    }
    stamp = { term, sequence: next.sequence, atMs: nowMs }
  }
  const sent = delivery.sent + 1
  return {
    delivery: {
      ...delivery,
      stamp,
      sent,
      held: undefined,
      firstSentMs: delivery.firstSentMs ?? nowMs,
      dueMs: nowMs + delayAfter(delivery.op, sent, facts.connected, input.spread),
    },
    send: { sequence: stamp.sequence, fresh: stale, copies: sent === 1 && burstOf(delivery.op) > 1 },
  }
}

/** The node is heard again: what was backing off for minutes goes out now, without another burst. */
export function onConnected(delivery: Delivery, nowMs: number): Delivery {
  if (delivery.dueMs === undefined || delivery.sent < burstOf(delivery.op)) return delivery
  return { ...delivery, sent: burstOf(delivery.op), dueMs: Math.min(delivery.dueMs, nowMs) }
}

function isShown(delivery: Delivery, facts: NodeFacts): boolean {
  const mark = delivery.stamp && facts.shown(delivery.op, delivery.slot)
  return mark !== undefined && delivery.stamp !== undefined && compareSequence(mark, delivery.stamp) >= 0
}
