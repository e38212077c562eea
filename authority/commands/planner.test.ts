import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { WantedCommand } from '../../controllers/ports/commands.ts'
import { OP } from '../../protocol/command/ops.ts'
import { ticksAheadMs } from '../../protocol/command/sequence.ts'
import type { NodeFacts } from './delivery.ts'
import { commandPlanner, type Packet } from './planner.ts'
import { MAX_AHEAD_MS } from './sequences.ts'

const EPOCH = Date.UTC(2026, 0, 1)
const connected: NodeFacts = { connected: true, shown: () => undefined }
const planner = (facts: (node: string) => NodeFacts = () => connected) =>
  commandPlanner({ meshEpochMs: EPOCH, term: () => 1, facts, spread: () => 0.5 })

/** A node's rules: above the mark of its (op, slot), and at most 120 s off the clock. */
function modelReceiver() {
  const marks = new Map<string, { sequence: number; value: number }>()
  const refused: string[] = []
  return {
    marks,
    refused,
    receive(packet: Packet, wallMs: number): void {
      const key = `${packet.node}/${packet.op}/${packet.slot}`
      const mark = marks.get(key)
      if (Math.abs(ticksAheadMs(packet.sequence, EPOCH, wallMs)) > 120_000) refused.push(`${key} is off the clock`)
      else if (!mark || packet.sequence > mark.sequence) marks.set(key, packet)
      else if (packet.sequence < mark.sequence) refused.push(`${key} is stale`)
    },
  }
}

test('10,000 commands wanted within one second are all accepted in the end', () => {
  const wanted = fc.array(
    fc.record({
      node: fc.constantFrom('a', 'b', 'c'),
      slot: fc.integer({ min: 1, max: 255 }),
      op: fc.constantFrom(OP.POWER, OP.WEIGHT, OP.BALLOON),
      value: fc.integer({ min: 1, max: 3 }),
      atMs: fc.integer({ min: 0, max: 999 }),
    }),
    { minLength: 10_000, maxLength: 10_000 },
  )
  fc.assert(
    fc.property(wanted, (commands) => {
      const plan = planner()
      const receiver = modelReceiver()
      const last = new Map<string, number>()
      const byTime = [...commands].sort((x, y) => x.atMs - y.atMs)
      const run = (nowMs: number) => {
        for (const packet of plan.take({ nowMs, wallMs: EPOCH + 60_000 + nowMs }, 1_000)) {
          expect(ticksAheadMs(packet.sequence, EPOCH, EPOCH + 60_000 + nowMs)).toBeLessThanOrEqual(MAX_AHEAD_MS)
          receiver.receive(packet, EPOCH + 60_000 + nowMs)
        }
      }
      for (const { node, op, slot, value, atMs } of byTime) {
        plan.want(`Archive/${op}/${slot}`, node, [{ op, slot, value }], atMs)
        last.set(`${node}/${op}/${slot}`, value)
        run(atMs)
      }
      for (let nowMs = 1_000; nowMs < 3_000; nowMs += 5) run(nowMs)
      expect(receiver.refused).toEqual([])
      for (const [key, value] of last) expect(receiver.marks.get(key)?.value).toBe(value)
    }),
    { numRuns: 5 },
  )
})

test('10,000 values for one slot within one second: the last one arrives, and the sequence waits for its clock', () => {
  const plan = planner()
  const receiver = modelReceiver()
  let waited = false
  for (let i = 0; i < 10_000; i++) {
    const nowMs = Math.floor(i / 10)
    plan.want('Archive/a', 'a', [{ op: OP.WEIGHT, slot: 1, value: 1 + i }], nowMs)
    for (const packet of plan.take({ nowMs, wallMs: EPOCH + nowMs }, 10)) receiver.receive(packet, EPOCH + nowMs)
    const [pending] = plan.pending('a')
    if (pending?.reason === 'SequenceAhead') {
      expect(pending.state).toBe('Waiting')
      waited = true
    }
  }
  expect(waited).toBe(true)
  for (let nowMs = 1_000; nowMs < 60_000; nowMs += 100)
    for (const packet of plan.take({ nowMs, wallMs: EPOCH + nowMs }, 10)) receiver.receive(packet, EPOCH + nowMs)
  expect(receiver.refused).toEqual([])
  expect(receiver.marks.get(`a/${OP.WEIGHT}/1`)?.value).toBe(10_000)
})

test('whatever is wanted, withdrawn and answered in whatever order, no packet is ever refused', () => {
  type Step =
    | { kind: 'want'; slot: number; value: number; reissue: number }
    | { kind: 'withdraw' }
    | { kind: 'wait'; ms: number }
    | { kind: 'ping' }
    | { kind: 'pingAll' }
    | { kind: 'apply' }
    | { kind: 'hear'; connected: boolean }
    | { kind: 'ceiling' }
  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.record({
      kind: fc.constant('want' as const),
      slot: fc.integer({ min: 1, max: 2 }),
      value: fc.integer({ min: 0, max: 3 }),
      reissue: fc.integer({ min: 0, max: 1 }),
    }),
    fc.record({ kind: fc.constant('withdraw' as const) }),
    fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 200_000 }) }),
    fc.record({ kind: fc.constantFrom('ping' as const, 'pingAll' as const, 'apply' as const, 'ceiling' as const) }),
    fc.record({ kind: fc.constant('hear' as const), connected: fc.boolean() }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let facts: NodeFacts = connected
      let nowMs = 0
      let floor = -1
      const plan = planner(() => facts)
      const receiver = modelReceiver()
      const times = () => ({ nowMs, wallMs: EPOCH + nowMs })
      const receive = (packets: Packet[]) => {
        for (const packet of packets) {
          receiver.receive(packet, EPOCH + nowMs)
          if (packet.fresh) expect(packet.sequence).toBeGreaterThan(floor)
        }
      }
      for (const one of steps) {
        if (one.kind === 'want') plan.want('s', 'a', [{ op: OP.POWER, ...one }], nowMs)
        if (one.kind === 'withdraw') plan.want('s', 'a', [], nowMs)
        if (one.kind === 'ping') plan.ping('a', nowMs)
        if (one.kind === 'pingAll') receive(plan.broadcast(OP.PING, 0, ['a'], times()).packets)
        if (one.kind === 'apply') receive(plan.broadcast(OP.APPLY, 1, ['a'], times()).packets)
        if (one.kind === 'ceiling') floor = plan.ceiling('a', EPOCH + nowMs)
        if (one.kind === 'hear') {
          facts = { ...connected, connected: one.connected }
          plan.wake('a', nowMs)
        }
        if (one.kind === 'wait') nowMs += one.ms
        receive(plan.take(times(), 100))
      }
      expect(receiver.refused).toEqual([])
    }),
  )
})

describe('scopes', () => {
  const command: WantedCommand = { op: OP.POWER, slot: 1, value: 1 }
  test('withdrawing one leaves the others alone', () => {
    const plan = planner()
    plan.want('Archive/a', 'n', [command], 0)
    plan.want('Archive/b', 'n', [{ ...command, slot: 2 }], 0)
    plan.want('Archive/a', 'n', [], 0)
    expect(plan.pending('n')).toMatchObject([{ slot: 2 }])
  })

  test('a slot wanted by another scope is that scope’s from then on', () => {
    const plan = planner()
    plan.want('Archive/a', 'n', [command], 0)
    plan.want('Archive/b', 'n', [{ ...command, value: 0 }], 0)
    plan.want('Archive/a', 'n', [], 0)
    expect(plan.pending('n')).toMatchObject([{ slot: 1, value: 0 }])
  })
})
