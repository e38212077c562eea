import fc from 'fast-check'
import { expect, test } from 'vitest'
import { silentLogger } from '../../base/log.ts'
import { encodeCommand } from '../../protocol/command/encode.ts'
import type { CommandContext } from '../../protocol/command/layout.ts'
import { OP, type Op } from '../../protocol/command/ops.ts'
import { sequenceAt } from '../../protocol/command/sequence.ts'
import { compareSequence, type Term } from '../../protocol/ids.ts'
import { deriveNodeKeys, generateX25519, toBase64 } from '../../protocol/keys.ts'
import { memoryFiles } from '../../testing/memory-files.ts'
import { seededRandom } from '../../testing/seeded-random.ts'
import { virtualClock } from '../../testing/virtual-clock.ts'
import { openNodeState } from '../durable/node-state.ts'
import { initAgentKeys } from '../keys/agent-keys.ts'
import { createKeyring } from '../keys/keyring.ts'
import { initMarks, openMarks } from '../marks/journal.ts'
import { type AcceptedCommand, createReceiver } from './receiver.ts'
import { refusalCounters } from './refusals.ts'

const AUTHORITY = '10.8.0.1'
const ids = { meshId: '1'.repeat(32), nodeId: '2'.repeat(32), enrolmentId: '3'.repeat(32) }
const authorityId = '4'.repeat(32)
const random = seededRandom('receiver')
const authorityKey = generateX25519(random)
const clock = virtualClock()
const meshEpochMs = clock.now() - 1_000_000
const now = sequenceAt(meshEpochMs, clock.now())

async function bench(files = memoryFiles()) {
  await initMarks(files)
  const keys = await initAgentKeys(files, random)
  const state = await openNodeState(files)
  const marks = await openMarks(files)
  const refusals = refusalCounters()
  const acted: AcceptedCommand[] = []
  const genuine: Term[] = []
  const settings = { synchronised: true, forbidden: undefined as string | undefined }
  const receiver = createReceiver({
    clock,
    log: silentLogger(),
    refusals,
    marks,
    term: {
      current: () => state.get().term,
      durable: state.durableTerm,
      raise: (term) => state.update({ term: Math.max(term, state.get().term) }),
    },
    clockSynchronised: () => settings.synchronised,
    forbidden: () => settings.forbidden,
    onGenuine: (_, verdict) => genuine.push(verdict.term),
    onCommand: (command) => acted.push(command),
  })
  const authorities = [{ id: authorityId, commandPublicKey: toBase64(authorityKey.publicKey) }]
  receiver.use({
    target: 7,
    addresses: new Set([AUTHORITY]),
    meshEpochMs,
    keyring: createKeyring({ ...ids, authorities, keys }),
  })
  const packet = (
    op: Op,
    { term = 1, slot = 0, value = 0, sequence = now, target = 7 }: Partial<Record<string, number>> = {},
  ) => {
    const key = deriveNodeKeys({ ownSecret: authorityKey.secretKey, peerPublic: keys.command.publicKey, ...ids, term })
    const context: CommandContext = { ...ids, authorityId, term }
    return encodeCommand({ op, target, slot, value, sequence }, key.command, context)
  }
  return { files, state, marks, refusals, acted, genuine, settings, receiver, packet }
}

test('a valid command acts once its mark is durable', async () => {
  const { receiver, packet, acted, marks } = await bench()
  receiver.receive(packet(OP.POWER, { slot: 1, value: 1 }), AUTHORITY)
  expect(acted).toEqual([])
  await clock.settle()
  expect(acted).toMatchObject([{ op: OP.POWER, slot: 1, value: 1, term: 1 }])
  expect(marks.durable()).toMatchObject([{ op: OP.POWER, slot: 1, state: 'begun' }])
})

type Bench = Awaited<ReturnType<typeof bench>>
const altered = (bytes: Uint8Array, at: number, to?: number) => {
  const copy = new Uint8Array(bytes)
  copy[at] = to ?? copy[at]! ^ 1
  return copy
}
const refused: [string, string, (b: Bench) => void | Promise<void>][] = [
  ['a short packet', 'BadLength', (b) => b.receiver.receive(b.packet(OP.PING).subarray(1), AUTHORITY)],
  [
    'a long packet',
    'BadLength',
    (b) => b.receiver.receive(Buffer.concat([b.packet(OP.PING), Buffer.alloc(1)]), AUTHORITY),
  ],
  ['a stranger', 'NotAuthority', (b) => b.receiver.receive(b.packet(OP.PING), '10.8.0.9')],
  ['target 0', 'BadTarget', (b) => b.receiver.receive(altered(b.packet(OP.PING), 1, 0), AUTHORITY)],
  ['a wrong tag', 'BadTag', (b) => b.receiver.receive(altered(b.packet(OP.PING), 15), AUTHORITY)],
  ['a changed value', 'BadTag', (b) => b.receiver.receive(altered(b.packet(OP.POWER, { slot: 1 }), 4), AUTHORITY)],
  [
    'a mistyped target',
    'BadTag',
    (b) => b.receiver.receive(altered(b.packet(OP.PING, { target: 9 }), 1, 7), AUTHORITY),
  ],
  ['one made for everyone', 'BadTag', (b) => b.receiver.receive(altered(b.packet(OP.PING), 1, 255), AUTHORITY)],
  ['a term too far', 'BadTag', (b) => b.receiver.receive(b.packet(OP.PING, { term: 17 }), AUTHORITY)],
  [
    'an earlier term',
    'BadTag',
    async (b) => {
      await b.state.update({ term: 2 })
      b.receiver.receive(b.packet(OP.PING, { term: 1 }), AUTHORITY)
    },
  ],
  [
    'more than 120 s ahead',
    'ClockOff',
    (b) => b.receiver.receive(b.packet(OP.PING, { sequence: now + 121 * 16 }), AUTHORITY),
  ],
  [
    'more than 120 s behind',
    'ClockOff',
    (b) => b.receiver.receive(b.packet(OP.PING, { sequence: now - 121 * 16 }), AUTHORITY),
  ],
  [
    'a duplicate',
    'Duplicate',
    (b) => {
      b.receiver.receive(b.packet(OP.PING), AUTHORITY)
      b.receiver.receive(b.packet(OP.PING), AUTHORITY)
    },
  ],
  [
    'one overtaken',
    'Stale',
    (b) => {
      b.receiver.receive(b.packet(OP.PING, { sequence: now + 1 }), AUTHORITY)
      b.receiver.receive(b.packet(OP.PING), AUTHORITY)
    },
  ],
  [
    'one below the floor',
    'Stale',
    async (b) => {
      await b.marks.raiseFloors([{ slot: 1, term: 1, sequence: now + 1 }])
      b.receiver.receive(b.packet(OP.POWER, { slot: 1 }), AUTHORITY)
    },
  ],
  [
    'what the bundle forbids',
    'NotAllowed',
    (b) => {
      b.settings.forbidden = 'NotAllowed'
      b.receiver.receive(b.packet(OP.POWER, { slot: 1 }), AUTHORITY)
    },
  ],
  [
    'anything while nobody is listened to',
    'NotAuthority',
    (b) => {
      b.receiver.use(undefined)
      b.receiver.receive(b.packet(OP.PING), AUTHORITY)
    },
  ],
]
test.each(refused)('law 5: %s is discarded as %s and does nothing', async (_, reason, send) => {
  const b = await bench()
  const before = b.acted.length
  await send(b)
  await clock.settle()
  expect(b.refusals.all()).toEqual({ [reason]: 1 })
  expect(b.acted.length - before).toBe(
    reason === 'Duplicate' || (reason === 'Stale' && b.marks.durable().length > 0) ? 1 : 0,
  )
})

test('a copy for another node is no refusal', async () => {
  const { receiver, packet, refusals, acted } = await bench()
  receiver.receive(packet(OP.PING, { target: 9 }), AUTHORITY)
  await clock.settle()
  expect([receiver.notForUs(), refusals.all(), acted]).toEqual([1, {}, []])
})

test('what was forbidden leaves no mark: the next copy counts when the bundle allows it', async () => {
  const b = await bench()
  b.settings.forbidden = 'UnknownSlot'
  b.receiver.receive(b.packet(OP.POWER, { slot: 1 }), AUTHORITY)
  b.settings.forbidden = undefined
  b.receiver.receive(b.packet(OP.POWER, { slot: 1 }), AUTHORITY)
  await clock.settle()
  expect(b.acted).toHaveLength(1)
})

test('with its marks lost a node obeys nothing', async () => {
  const files = memoryFiles()
  await initMarks(files)
  await files.write('marks', Buffer.from('?'))
  const b = await bench(files)
  b.receiver.receive(b.packet(OP.PING), AUTHORITY)
  await clock.settle()
  expect(b.refusals.all()).toEqual({ MarksLost: 1 })
  expect(b.acted).toEqual([])
})

test('a node whose clock is not synchronised refuses nothing by age', async () => {
  const b = await bench()
  b.settings.synchronised = false
  b.receiver.receive(b.packet(OP.PING, { sequence: now - 1000 * 16 }), AUTHORITY)
  await clock.settle()
  expect(b.acted).toHaveLength(1)
})

test('a higher term is durable before the command acts, and clears no mark', async () => {
  const b = await bench()
  b.receiver.receive(b.packet(OP.POWER, { slot: 1, sequence: now }), AUTHORITY)
  await clock.settle()
  b.files.failWrites(new Error('disk full'))
  b.receiver.receive(b.packet(OP.PING, { term: 16 }), AUTHORITY)
  await clock.settle()
  expect(b.refusals.all()).toEqual({ TermNotDurable: 1 })
  expect(b.acted).toHaveLength(1)
  b.files.failWrites(undefined)
  b.receiver.receive(b.packet(OP.PING, { term: 16 }), AUTHORITY)
  await clock.settle()
  expect(b.acted).toHaveLength(2)
  expect((await openNodeState(b.files)).get().term).toBe(16)
  expect(b.marks.get(OP.POWER, 1)).toMatchObject({ term: 1 })
})

test('a flood of bad tags is cut off and ends with time', async () => {
  const b = await bench()
  for (let i = 0; i < 500; i++) b.receiver.receive(altered(b.packet(OP.PING), 15), AUTHORITY)
  expect(b.refusals.all()).toEqual({ BadTag: 100, TooManyBadTags: 400 })
  await clock.advance(1000)
  b.receiver.receive(b.packet(OP.PING, { sequence: sequenceAt(meshEpochMs, clock.now()) }), AUTHORITY)
  await clock.settle()
  expect(b.acted).toHaveLength(1)
})

test('whatever the network and the power do, a packet acts at most once and never after a newer one', async () => {
  const event = fc.oneof(
    { weight: 6, arbitrary: fc.record({ deliver: fc.nat(20) }) },
    { weight: 1, arbitrary: fc.constant('restart' as const) },
    { weight: 1, arbitrary: fc.constant('settle' as const) },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 40 }), async (events) => {
      const files = memoryFiles()
      let b = await bench(files)
      // Two slots, rising sequences, a change of term in between: delivered in any order, any number of times.
      const at = sequenceAt(meshEpochMs, clock.now())
      const packets = Array.from({ length: 21 }, (_, i) =>
        b.packet(OP.POWER, { slot: (i % 2) + 1, sequence: at + i, value: i % 4, term: i < 12 ? 1 : 3 }),
      )
      const history: AcceptedCommand[] = []
      for (const e of events) {
        if (e === 'settle') await clock.settle()
        else if (e === 'restart') {
          await clock.settle()
          history.push(...b.acted)
          const before = b.marks.durable()
          b = await bench(files)
          for (const mark of before) {
            const now = b.marks.get(mark.op, mark.slot)
            expect(now && compareSequence(now, mark)).toBe(0)
          }
        } else b.receiver.receive(packets[e.deliver]!, AUTHORITY)
      }
      await clock.settle()
      history.push(...b.acted)
      for (const slot of [1, 2]) {
        const acts = history.filter((c) => c.slot === slot)
        for (let i = 1; i < acts.length; i++) expect(compareSequence(acts[i]!, acts[i - 1]!)).toBeGreaterThan(0)
      }
    }),
    { numRuns: 60 },
  )
})
