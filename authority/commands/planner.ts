// All commands wanted of all nodes, and what must be sent next. No sockets, no clock of its own: it is told the
// time and the facts, and answers with packets as data.

import type { PendingCommand, WantedCommand } from '../../controllers/ports/commands.ts'
import { OP, type Op } from '../../protocol/command/ops.ts'
import type { Sequence, Slot, Term } from '../../protocol/ids.ts'
import { type Delivery, heldBecause, type NodeFacts, onConnected, stepDelivery } from './delivery.ts'
import { dueQueue } from './due-queue.ts'
import { opSlot, sequences } from './sequences.ts'
import { type TokenBucket, tokenBucket } from './token-bucket.ts'

/** Addressed packets to one node: its socket buffer holds some 270 small datagrams by default. */
const NODE_PACKETS_PER_SECOND = 4_000
const NODE_BURST = 64
/** A node that keeps drawing PINGs gets one this often. */
const DRAW_SPACING_MS = 2_000

/** One packet to put on the wire now. */
export interface Packet {
  node: string
  op: Op
  slot: Slot
  value: number
  sequence: Sequence
  /** Addressed to 255 instead of the node. */
  toAll: boolean
  /** A new command, not the repetition of one. */
  fresh: boolean
  /** The other nodes get a copy each. */
  copies: boolean
}

export interface PlannerOptions {
  meshEpochMs: number
  /** The term to speak under. */
  term(): Term
  facts(node: string): NodeFacts
  /** A random number in [0, 1). */
  spread(): number
}

export interface Times {
  /** Clock.monotonic() */
  nowMs: number
  /** Clock.now() */
  wallMs: number
}

interface NodeState {
  deliveries: Map<number, Delivery>
  /** Value last put on the wire, by (op, slot). */
  lastSent: Map<number, number>
  bucket: TokenBucket
  connected: boolean
  /** PINGs of the current term: what the node's marks must hold. */
  pings?: { term: Term; first: Sequence; last: Sequence }
  lastPingMs?: number
}

/** The scope of the PINGs that the authority itself wants. */
const OWN_SCOPE = ''

export function commandPlanner(options: PlannerOptions) {
  const nodes = new Map<string, NodeState>()
  const due = dueQueue<{ node: string; key: number }>()
  const clock = sequences(options.meshEpochMs)
  let pending = 0

  const of = (node: string): NodeState => {
    let state = nodes.get(node)
    if (!state) {
      state = {
        deliveries: new Map(),
        lastSent: new Map(),
        bucket: tokenBucket(NODE_PACKETS_PER_SECOND, NODE_BURST),
        connected: false,
      }
      nodes.set(node, state)
    }
    return state
  }
  const put = (node: string, state: NodeState, delivery: Delivery): void => {
    const key = opSlot(delivery.op, delivery.slot)
    const before = state.deliveries.get(key)
    if (!before) pending++
    state.deliveries.set(key, delivery)
    if (delivery.dueMs !== undefined && delivery.dueMs !== before?.dueMs) due.push(delivery.dueMs, { node, key })
  }
  const drop = (state: NodeState, key: number): void => {
    if (state.deliveries.delete(key)) pending--
  }
  const noteSent = (state: NodeState, packet: Packet, nowMs: number): void => {
    state.lastSent.set(opSlot(packet.op, packet.slot), packet.value)
    if (packet.op !== OP.PING) return
    const term = options.term()
    const first = state.pings?.term === term ? state.pings.first : packet.sequence
    state.pings = { term, first, last: packet.sequence }
    state.lastPingMs = nowMs
  }
  /** A packet outside any delivery: to 255, or severing. What was wanted of the same slot starts over above it. */
  const single = (node: string, op: Op, value: number, times: Times, toAll: boolean): Packet | string => {
    const state = of(node)
    const next = clock.next(node, op, 0, times.wallMs)
    if (!next.ok) return 'SequenceAhead'
    const wanted = state.deliveries.get(opSlot(op, 0))
    if (wanted) put(node, state, { ...wanted, stamp: undefined })
    const packet = { node, op, slot: 0, value, sequence: next.sequence, toAll, fresh: true, copies: false }
    noteSent(state, packet, times.nowMs)
    return packet
  }

  return {
    /** See `Commands.want`. */
    want(scope: string, node: string, commands: readonly WantedCommand[], nowMs: number): void {
      const state = of(node)
      const keep = new Set(commands.map((command) => opSlot(command.op, command.slot)))
      for (const [key, delivery] of state.deliveries) if (delivery.scope === scope && !keep.has(key)) drop(state, key)
      for (const command of commands) {
        const { op, slot, value, reissue = 0 } = command
        const before = state.deliveries.get(opSlot(op, slot))
        if (before && before.scope === scope && before.value === value && before.reissue === reissue) continue
        put(node, state, { scope, op, slot, value, reissue, sent: 0, dueMs: nowMs })
      }
    },

    /** A PING under a fresh sequence, soon, and again until `settlePing`. */
    ping(node: string, nowMs: number): void {
      const state = of(node)
      const before = state.deliveries.get(opSlot(OP.PING, 0))
      const dueMs = Math.max(nowMs, (state.lastPingMs ?? Number.NEGATIVE_INFINITY) + DRAW_SPACING_MS)
      if (before && !before.stamp && before.dueMs !== undefined && before.dueMs <= dueMs) return
      const { sent = 0 } = before ?? {}
      put(node, state, { scope: OWN_SCOPE, op: OP.PING, slot: 0, value: 0, reissue: 0, sent, dueMs })
    },
    settlePing(node: string): void {
      drop(of(node), opSlot(OP.PING, 0))
    },
    /** Sequences of the PINGs sent to the node in the current term. */
    pings(node: string): { first: Sequence; last: Sequence } | undefined {
      const pings = nodes.get(node)?.pings
      return pings?.term === options.term() ? pings : undefined
    },

    /** One packet per node, each with that node's own next sequence, for those that may have it now. */
    broadcast(
      op: Op,
      value: number,
      names: readonly string[],
      times: Times,
    ): { packets: Packet[]; held: { node: string; reason: string }[] } {
      const packets: Packet[] = []
      const held: { node: string; reason: string }[] = []
      for (const node of names) {
        const reason = heldBecause(op, options.facts(node))
        const packet = reason ?? single(node, op, value, times, true)
        if (typeof packet === 'string') held.push({ node, reason: packet })
        else packets.push(packet)
      }
      return { packets, held }
    },
    /** A SEVER outside any wanted set; a text: why not. `anyway`: also to a node that only speaks against us. */
    sever(node: string, times: Times, anyway = false): Packet | string {
      const facts = options.facts(node)
      const heard = anyway && facts.silence === 'Superseded' ? { ...facts, silence: undefined } : facts
      return heldBecause(OP.SEVER, heard) ?? single(node, OP.SEVER, 1, times, false)
    },
    /** The packet once more, unless a newer one of its slot has gone out or the node may not have it any longer. */
    repeat(packet: Packet, anyway = false): Packet | undefined {
      if (clock.last(packet.node, packet.op, packet.slot) !== packet.sequence) return undefined
      if (!anyway && heldBecause(packet.op, options.facts(packet.node))) return undefined
      return { ...packet, fresh: false }
    },

    /** The node's facts may have changed: what was held is looked at again. */
    wake(node: string, nowMs: number): void {
      const state = nodes.get(node)
      if (!state) return
      const { connected } = options.facts(node)
      const heardAgain = connected && !state.connected
      state.connected = connected
      for (const delivery of state.deliveries.values()) {
        if (delivery.dueMs === undefined) put(node, state, { ...delivery, dueMs: nowMs })
        else if (heardAgain) put(node, state, onConnected(delivery, nowMs))
      }
    },

    /** What is due, at most `limit` packets. */
    take(times: Times, limit: number): Packet[] {
      const packets: Packet[] = []
      for (let entry = due.take(times.nowMs); entry; entry = due.take(times.nowMs)) {
        const { node, key } = entry.value
        const state = of(node)
        const delivery = state.deliveries.get(key)
        // Withdrawn, replaced or moved to another time since it was queued.
        if (!delivery || delivery.dueMs !== entry.dueMs) continue
        const waitMs = state.bucket.waitMs(times.nowMs)
        if (waitMs > 0) {
          put(node, state, { ...delivery, dueMs: times.nowMs + waitMs })
          continue
        }
        const { op, slot, value } = delivery
        const step = stepDelivery(delivery, {
          nowMs: times.nowMs,
          term: options.term(),
          facts: options.facts(node),
          nextSequence: () => clock.next(node, op, slot, times.wallMs),
          spread: options.spread(),
        })
        put(node, state, step.delivery)
        if (!step.send) continue
        state.bucket.take(times.nowMs, 1)
        const packet = { node, op, slot, value, toAll: false, ...step.send }
        noteSent(state, packet, times.nowMs)
        packets.push(packet)
        if (packets.length >= limit) break
      }
      return packets
    },
    /** Clock.monotonic() of the next step; undefined: nothing is due by itself. */
    nextMs: (): number | undefined => due.nextMs(),

    pending(node: string): PendingCommand[] {
      const deliveries = [...(nodes.get(node)?.deliveries.values() ?? [])]
      return deliveries
        .filter((delivery) => delivery.scope !== OWN_SCOPE)
        .map(({ op, slot, value, reissue, held, firstSentMs }) => ({
          op,
          slot,
          value,
          reissue,
          state: firstSentMs === undefined ? 'Waiting' : 'Sent',
          ...(held !== undefined && { reason: held }),
          ...(firstSentMs !== undefined && { sentMs: firstSentMs }),
        }))
    },
    size: (): number => pending,
    lastSent: (node: string, op: Op, slot: Slot): number | undefined => nodes.get(node)?.lastSent.get(opSlot(op, slot)),
    ceiling: (node: string, wallMs: number): Sequence => clock.ceiling(node, wallMs),
  }
}
