// What any agent does with commands and bundles, each as it shows in telemetry. The outcome written here is that of
// DESIGN section 7; both agents have to come to it.
import { OP, POWER } from '../../../protocol/command/ops.ts'
import { sequenceAt } from '../../../protocol/command/sequence.ts'
import { anArchive } from '../../../testing/bundle-fixtures.ts'
import { type Bench, HUB, NODE, STRANGER } from './bench.ts'

export interface Scenario {
  name: string
  /** Runs on a node that has joined; what it returns is compared. */
  run(bench: Bench): Promise<unknown>
  outcome: unknown
}

const altered = (bytes: Uint8Array, at: number, to?: number): Uint8Array => {
  const copy = new Uint8Array(bytes)
  copy[at] = to ?? (copy[at] as number) ^ 1
  return copy
}
/** [op, slot, value, term, state] */
const marks = (b: Bench) => b.report().marks.map((m) => [m.op, m.slot, m.value, m.term, m.state])
const refusals = (b: Bench) => b.report().refusals
const archive = (b: Bench, slot = 1) => b.report().archives.find((a) => a.slot === slot)
const lifecycle = (b: Bench, slot = 1) => archive(b, slot)?.lifecycle
const now = (b: Bench) => sequenceAt(b.authority.meshEpochMs, b.clock.now())
/** Revisions held, and what was told. */
const held = (b: Bench) => {
  const { bundles, told } = b.report()
  return { applied: bundles.applied?.revision, staged: bundles.staged?.revision, told: told?.revision }
}
const raw = (name: string, outcome: unknown, make: (b: Bench) => Uint8Array): Scenario => ({
  name,
  async run(b) {
    await b.authority.sendRaw(make(b))
    await b.settle()
    return [refusals(b), marks(b)]
  },
  outcome: [outcome, []],
})
const manual = (b: Bench) => ({
  ...b.authority.content().pool,
  balloon: { ...b.authority.content().pool.balloon, policy: 'Manual' as const },
})
const power = async (b: Bench, value: number) => {
  await b.authority.send(OP.POWER, { slot: 1, value })
  await b.settle()
  return lifecycle(b)
}
const refusedBundle = (name: string, reason: string, make: (b: Bench) => Promise<unknown>): Scenario => ({
  name: `a bundle ${name} is refused`,
  async run(b) {
    await make(b)
    await b.settle()
    return [refusals(b), held(b)]
  },
  outcome: [{ [reason]: 1 }, { applied: 1, staged: undefined, told: undefined }],
})

const COMMANDS: Scenario[] = [
  {
    name: 'a PING is marked and done',
    async run(b) {
      await b.authority.send(OP.PING)
      await b.settle()
      return marks(b)
    },
    outcome: [[OP.PING, 0, 0, 1, 'done']],
  },
  {
    name: 'a PING to everyone counts as well',
    async run(b) {
      await b.authority.send(OP.PING, { target: 255 })
      await b.settle()
      return marks(b)
    },
    outcome: [[OP.PING, 0, 0, 1, 'done']],
  },
  {
    name: 'a copy is a duplicate',
    async run(b) {
      const bytes = await b.authority.send(OP.PING)
      await b.authority.sendRaw(bytes)
      await b.settle()
      await b.authority.sendRaw(bytes)
      await b.settle()
      return [refusals(b), marks(b)]
    },
    outcome: [{ Duplicate: 2 }, [[OP.PING, 0, 0, 1, 'done']]],
  },
  {
    name: 'a packet that was overtaken is stale, of its own (op, slot) alone',
    async run(b) {
      const at = now(b)
      await b.authority.send(OP.WEIGHT, { slot: 1, value: 200, sequence: at + 1 })
      await b.authority.send(OP.WEIGHT, { slot: 1, value: 300, sequence: at })
      await b.authority.send(OP.POWER, { slot: 1, value: POWER.stop, sequence: at })
      await b.settle()
      return [refusals(b), marks(b).sort()]
    },
    outcome: [
      { Stale: 1 },
      [
        [OP.POWER, 1, POWER.stop, 1, 'done'],
        [OP.WEIGHT, 1, 200, 1, 'done'],
      ],
    ],
  },
  raw('a copy for another node is passed over', {}, (b) => b.authority.packet(OP.PING, { target: 9 })),
  raw('target 0 is nobody', { BadTarget: 1 }, (b) => altered(b.authority.packet(OP.PING), 1, 0)),
  raw('a mistyped target is no tag for us', { BadTag: 1 }, (b) =>
    altered(b.authority.packet(OP.PING, { target: 9 }), 1, 7),
  ),
  raw('one made for us does not become everyone’s', { BadTag: 1 }, (b) => altered(b.authority.packet(OP.PING), 1, 255)),
  raw('a bad tag', { BadTag: 1 }, (b) => altered(b.authority.packet(OP.PING), 15)),
  raw('a changed value', { BadTag: 1 }, (b) => altered(b.authority.packet(OP.POWER, { slot: 1 }), 4)),
  raw('a changed op', { BadTag: 1 }, (b) => altered(b.authority.packet(OP.PING), 0, 0x77)),
  raw('a short packet', { BadLength: 1 }, (b) => b.authority.packet(OP.PING).subarray(1)),
  raw('a long packet', { BadLength: 1 }, (b) => Buffer.concat([b.authority.packet(OP.PING), Buffer.alloc(1)])),
  raw('121 s ahead', { ClockOff: 1 }, (b) => b.authority.packet(OP.PING, { sequence: now(b) + 121 * 16 })),
  raw('121 s behind', { ClockOff: 1 }, (b) => b.authority.packet(OP.PING, { sequence: now(b) - 121 * 16 })),
  raw('17 terms ahead', { BadTag: 1 }, (b) => b.authority.packet(OP.PING, { term: 18 })),
  raw('a slot the bundle does not list', { UnknownSlot: 1 }, (b) => b.authority.packet(OP.POWER, { slot: 9 })),
  raw('BALLOON under policy Auto', { NotAllowed: 1 }, (b) => b.authority.packet(OP.BALLOON, { slot: 1, value: 32 })),
  {
    name: 'a stranger is not listened to, however right the tag',
    async run(b) {
      await b.fromStranger(b.authority.packet(OP.PING))
      await b.settle()
      return [refusals(b), marks(b)]
    },
    outcome: [{ NotAuthority: 1 }, []],
  },
  {
    name: 'a higher term is taken over, clears no mark, and makes the earlier one a dead letter',
    async run(b) {
      await b.authority.send(OP.WEIGHT, { slot: 1, value: 200 })
      const captured = b.authority.packet(OP.POWER, { slot: 1, value: POWER.stop })
      b.authority.state.term = 17
      await b.authority.send(OP.PING)
      await b.settle()
      await b.authority.sendRaw(captured)
      await b.settle()
      return [marks(b).sort(), refusals(b), b.authority.frames.at(-1)?.term]
    },
    outcome: [
      [
        [OP.PING, 0, 0, 17, 'done'],
        [OP.WEIGHT, 1, 200, 1, 'done'],
      ],
      { BadTag: 1 },
      17,
    ],
  },
  {
    name: 'a higher term makes the agent connect anew',
    async run(b) {
      const before = b.authority.connections.length
      b.authority.state.term = 3
      await b.authority.send(OP.PING)
      await b.settle()
      return b.authority.connections.length - before
    },
    outcome: 1,
  },
  {
    name: 'a command from another listed address makes the agent report there',
    async run(b) {
      const authorities = b.authority.content().authorities.map((a) => ({ ...a, addresses: [HUB, STRANGER] }))
      const accepted: string[] = []
      await b.network.transport().listen(STRANGER, 8091, ({ remoteAddress, stream }) => {
        stream.on('error', () => {})
        stream.end()
        stream.resume()
        accepted.push(remoteAddress)
      })
      await b.push({ revision: 2, switch: 'onReceipt', content: { authorities } })
      await b.settle()
      await b.fromStranger(b.authority.packet(OP.PING))
      await b.settle()
      return accepted
    },
    outcome: [NODE],
  },
  {
    name: 'POWER starts, suspends, resumes, stops',
    async run(b) {
      const seen = [lifecycle(b)]
      for (const value of [POWER.start, POWER.start, POWER.suspend, POWER.start, POWER.stop, POWER.suspend])
        seen.push(await power(b, value))
      return seen
    },
    outcome: ['Stopped', 'Running', 'Running', 'Suspended', 'Running', 'Stopped', 'Stopped'],
  },
  {
    name: 'POWER 2 cuts',
    async run(b) {
      await power(b, POWER.start)
      return [await power(b, POWER.cut), marks(b)]
    },
    outcome: ['Stopped', [[OP.POWER, 1, POWER.cut, 1, 'done']]],
  },
  {
    name: 'WEIGHT is in force for a machine that runs, whenever it was told',
    async run(b) {
      await b.authority.send(OP.WEIGHT, { slot: 1, value: 300 })
      await power(b, POWER.start)
      const first = archive(b)?.weight
      await b.authority.send(OP.WEIGHT, { slot: 1, value: 50 })
      await b.settle()
      return [first, archive(b)?.weight]
    },
    outcome: [300, 50],
  },
  {
    name: 'BALLOON moves memory under policy Manual, within floor and maximum',
    async run(b) {
      await b.push({ revision: 2, switch: 'onReceipt', content: { pool: manual(b) } })
      await b.settle()
      await power(b, POWER.start)
      const full = archive(b)?.memoryActualMiB
      await b.authority.send(OP.BALLOON, { slot: 1, value: 32 })
      await b.authority.send(OP.BALLOON, { slot: 1, value: 15 })
      await b.authority.send(OP.BALLOON, { slot: 1, value: 65 })
      await b.settle()
      return [full, archive(b)?.memoryActualMiB, archive(b)?.memoryTargetMiB, refusals(b)]
    },
    outcome: [1024, 512, 512, { NotAllowed: 2 }],
  },
  {
    name: 'ISOLATE keeps only the way to the authority, until released',
    async run(b) {
      const seen: unknown[] = []
      for (const value of [1, 0]) {
        await b.authority.send(OP.ISOLATE, { value })
        await b.settle()
        const { isolated, peers } = b.report()
        seen.push([isolated, peers.map((p) => [p.name, p.path, p.allowedIPs])])
      }
      return seen
    },
    outcome: [
      [true, [['relay', 'Direct', [`${HUB}/32`]]]],
      [false, [['relay', 'Direct', [`${HUB}/32`, '10.8.0.0/24']]]],
    ],
  },
  {
    name: 'SEVER ends telemetry and obedience',
    async run(b) {
      await b.authority.send(OP.SEVER, { value: 1 })
      await b.settle()
      const frames = b.authority.frames.length
      await b.authority.send(OP.PING)
      await b.settle()
      return [b.authority.frames.length - frames, marks(b).filter(([op]) => op === OP.PING)]
    },
    outcome: [0, []],
  },
  {
    name: 'REKEY reports one pending key however often it is told, and the first tag under it takes it into use',
    async run(b) {
      const pending = async () => {
        await b.authority.send(OP.REKEY, { value: 1 })
        await b.settle()
        return b.report().pendingKeys.commandPublicKey as string
      }
      const [first, again] = [await pending(), await pending()]
      b.authority.useCommandKey(first)
      await b.authority.send(OP.PING)
      await b.settle()
      return [first === again, first !== b.identity.commandPublicKey, b.report().pendingKeys, refusals(b)]
    },
    outcome: [true, true, {}, {}],
  },
  {
    name: 'REKEY 2 reports a pending WireGuard key and goes on with the old one',
    async run(b) {
      await b.authority.send(OP.REKEY, { value: 2 })
      await b.settle()
      const { pendingKeys, interface: tunnel } = b.report()
      return [typeof pendingKeys.wireguardPublicKey, tunnel?.publicKey === b.identity.wireguardPublicKey]
    },
    outcome: ['string', true],
  },
]

const RESTARTS: Scenario[] = [
  {
    name: 'a restart keeps marks, term, bundle and machines, and begins a new boot id',
    async run(b) {
      b.authority.state.term = 4
      const bytes = await b.authority.send(OP.POWER, { slot: 1, value: POWER.start })
      await b.settle()
      const boot = b.authority.frames.at(-1)?.header.bootId
      const cpu = archive(b)?.cpuTimeMs ?? 0
      await b.agent.restart()
      await b.settle()
      await b.authority.sendRaw(bytes)
      await b.settle()
      const last = b.authority.frames.at(-1)
      return [
        marks(b),
        refusals(b),
        held(b),
        lifecycle(b),
        (archive(b)?.cpuTimeMs ?? 0) >= cpu,
        last?.header.bootId === boot,
        last?.term,
      ]
    },
    outcome: [
      [[OP.POWER, 1, POWER.start, 4, 'done']],
      { Duplicate: 1 },
      { applied: 1, staged: undefined, told: undefined },
      'Running',
      true,
      false,
      4,
    ],
  },
  {
    name: 'with its marks lost it refuses commands, until a bundle raises the floor of the whole node',
    async run(b) {
      await b.authority.send(OP.PING)
      await b.settle()
      await b.agent.restart('marks')
      await b.settle()
      await b.authority.send(OP.PING)
      await b.settle()
      const lost = [b.report().marksLost, marks(b), refusals(b)]
      const floor = now(b) + 100
      await b.push({ revision: 2, switch: 'onReceipt', content: { minSequence: { term: 1, sequence: floor } } })
      await b.clock.advance(1_000)
      await b.authority.send(OP.PING, { sequence: floor - 1 })
      await b.authority.send(OP.PING, { sequence: floor })
      await b.settle()
      return [lost, b.report().marksLost, marks(b), refusals(b)]
    },
    outcome: [[true, [], { MarksLost: 1 }], false, [[OP.PING, 0, 0, 1, 'done']], { MarksLost: 1, Stale: 1 }],
  },
]

const BUNDLES: Scenario[] = [
  {
    name: 'a bundle waits for its APPLY',
    async run(b) {
      await b.push({ revision: 2, content: { attempt: 1 } })
      await b.settle()
      const before = held(b)
      await b.authority.send(OP.APPLY, { value: 2 })
      await b.settle()
      return [before, held(b), marks(b)]
    },
    outcome: [
      { applied: 1, staged: 2, told: undefined },
      { applied: 2, staged: undefined, told: 2 },
      [[OP.APPLY, 0, 2, 1, 'done']],
    ],
  },
  {
    name: 'an APPLY covers a bundle that comes later, and none above it',
    async run(b) {
      await b.authority.send(OP.APPLY, { value: 3 })
      await b.push({ revision: 2, content: { attempt: 1 } })
      await b.settle()
      const early = held(b)
      await b.push({ revision: 4, content: { attempt: 2 } })
      await b.settle()
      return [early, held(b)]
    },
    outcome: [
      { applied: 2, staged: undefined, told: 3 },
      { applied: 2, staged: 4, told: 3 },
    ],
  },
  {
    name: 'an APPLY below what is staged leaves it staged',
    async run(b) {
      await b.push({ revision: 3, content: { attempt: 1 } })
      await b.authority.send(OP.APPLY, { value: 2 })
      await b.settle()
      return held(b)
    },
    outcome: { applied: 1, staged: 3, told: 2 },
  },
  {
    name: 'a lower APPLY lowers nothing, unless its term is higher',
    async run(b) {
      await b.authority.send(OP.APPLY, { value: 5 })
      await b.settle()
      await b.authority.send(OP.APPLY, { value: 3 })
      await b.settle()
      const same = held(b).told
      b.authority.state.term = 2
      await b.authority.send(OP.APPLY, { value: 3 })
      await b.settle()
      return [same, held(b).told]
    },
    outcome: [5, 3],
  },
  {
    name: 'an APPLY means the revision nearest to what is held, over the turn of 16 bits',
    async run(b) {
      await b.push({ revision: 65_535, switch: 'onReceipt', content: { attempt: 1 } })
      await b.push({ revision: 65_537, content: { attempt: 2 } })
      await b.settle()
      await b.authority.send(OP.APPLY, { value: 1 })
      await b.settle()
      return held(b)
    },
    outcome: { applied: 65_537, staged: undefined, told: 65_537 },
  },
  {
    name: 'onReceipt switches at once',
    async run(b) {
      await b.push({ revision: 2, switch: 'onReceipt', content: { attempt: 1 } })
      await b.settle()
      return held(b)
    },
    outcome: { applied: 2, staged: undefined, told: undefined },
  },
  {
    name: 'the content in force under a higher revision or term only replaces the file, and drops what it overtakes',
    async run(b) {
      await b.push({ revision: 2, content: { attempt: 1 } })
      await b.push({ revision: 3 })
      await b.settle()
      const higher = held(b)
      await b.push({ revision: 3, term: 2 })
      await b.settle()
      return [higher, held(b), b.report().bundles.applied?.term, b.authority.frames.at(-1)?.term, refusals(b)]
    },
    outcome: [
      { applied: 3, staged: undefined, told: undefined },
      { applied: 3, staged: undefined, told: undefined },
      2,
      2,
      {},
    ],
  },
  {
    name: 'what is staged is replaced by its like onReceipt, and switched',
    async run(b) {
      await b.push({ revision: 2, content: { attempt: 1 } })
      await b.push({ revision: 2, switch: 'onReceipt', content: { attempt: 1 } })
      await b.settle()
      return [held(b), refusals(b)]
    },
    outcome: [{ applied: 2, staged: undefined, told: undefined }, {}],
  },
  {
    name: 'one revision has one content',
    async run(b) {
      await b.push({ revision: 3, content: { attempt: 1 } })
      await b.push({ revision: 3, content: { attempt: 2 } })
      await b.push({ revision: 2, content: { attempt: 2 } })
      await b.settle()
      return [held(b), refusals(b)]
    },
    outcome: [{ applied: 1, staged: 3, told: undefined }, { NotNewer: 2 }],
  },
  refusedBundle('of an equal revision with another content', 'NotNewer', (b) =>
    b.push({ revision: 1, content: { attempt: 1 } }),
  ),
  refusedBundle('of an earlier term', 'OldTerm', (b) => b.push({ revision: 9, term: 0, content: { attempt: 1 } })),
  refusedBundle('with a byte changed', 'BundleUnsigned', (b) =>
    b.authority.push(altered(b.bundle({ revision: 2 }), 200)),
  ),
  refusedBundle('of a version nobody knows', 'BundleVersion', (b) =>
    b.authority.push(altered(b.bundle({ revision: 2 }), 0, 9)),
  ),
  refusedBundle('under another operator key', 'WrongOperatorKey', (b) =>
    b.push({ revision: 2, content: { operatorKey: b.identity.signingPublicKey } }),
  ),
  refusedBundle('pushed by a stranger', 'SyncSource', async (b) => {
    const connection = await b.network.transport().connect(STRANGER, NODE, 8092, new AbortController().signal)
    connection.stream.on('error', () => {})
    connection.stream.end(Buffer.alloc(64))
  }),
  refusedBundle('that is no frame', 'SyncMalformed', async (b) => {
    const connection = await b.network.transport().connect(HUB, NODE, 8092, new AbortController().signal)
    connection.stream.on('error', () => {})
    connection.stream.end(Buffer.from([0, 0, 0, 2, 99, 0]))
  }),
  refusedBundle('that never ends', 'SyncTooLong', async (b) => {
    const connection = await b.network.transport().connect(HUB, NODE, 8092, new AbortController().signal)
    connection.stream.on('error', () => {})
    connection.stream.end(Buffer.from([0xff, 0xff, 0xff, 0xff]))
  }),
  {
    name: 'a first import demands the fingerprint, and the right one',
    async run(b) {
      const code = (how?: string) =>
        b.agent.import(b.first(), how).then(
          () => 'taken',
          (error: { code: string }) => error.code,
        )
      // The node has joined: its pins decide, and the fingerprint is checked where it is given.
      return [await code(), await code('SHA256:other')]
    },
    outcome: ['taken', 'AuthorityFingerprintDiffers'],
  },
]

const ARCHIVES: Scenario[] = [
  {
    name: 'an archive ends by saying so, and its disk is kept',
    async run(b) {
      await power(b, POWER.start)
      await b.push({
        revision: 2,
        switch: 'onReceipt',
        content: { archives: [anArchive({ slot: 1, remove: 'Retain' })] },
      })
      await b.clock.advance(120_000)
      const removed = lifecycle(b)
      await b.authority.send(OP.POWER, { slot: 1, value: POWER.start })
      await b.settle()
      const { releases, retainedDisks } = b.report()
      return [
        removed,
        lifecycle(b),
        refusals(b),
        releases.map((r) => [r.archive, r.fencingEpoch]),
        retainedDisks.map((d) => d.name),
      ]
    },
    outcome: ['Removed', 'Removed', { NotAllowed: 1 }, [[anArchive({ slot: 1 }).id, 1]], [anArchive({ slot: 1 }).name]],
  },
  {
    name: 'remove: Delete leaves no disk',
    async run(b) {
      await b.push({
        revision: 2,
        switch: 'onReceipt',
        content: { archives: [anArchive({ slot: 1, remove: 'Delete' })] },
      })
      await b.clock.advance(120_000)
      return [lifecycle(b), b.report().retainedDisks]
    },
    outcome: ['Removed', []],
  },
  {
    name: 'an archive given up at an epoch is not started at it again, and is at the next',
    async run(b) {
      const defined = async (revision: number, more: object) => {
        const archives = [anArchive({ slot: 1, ...more })]
        await b.push({ revision, switch: 'onReceipt', content: { archives } })
        await b.clock.advance(120_000)
      }
      await defined(2, { remove: 'Delete' })
      await defined(3, {})
      const refused = [await power(b, POWER.start), archive(b)?.errorCode]
      await defined(4, { fencingEpoch: 2 })
      return [refused, lifecycle(b), archive(b)?.fencingEpoch]
    },
    outcome: [['Failed', 'FenceRefused'], 'Running', 2],
  },
  {
    name: 'a running archive that the bundle no longer lists is left as it is and reported',
    async run(b) {
      await power(b, POWER.start)
      await b.push({ revision: 2, switch: 'onReceipt', content: { archives: [] } })
      await b.settle()
      return b.report().archives.map(({ slot, lifecycle: state, unlisted }) => [slot, state, unlisted])
    },
    outcome: [[1, 'Running', true]],
  },
  {
    name: 'a mark below the minSequence of its slot is void, and so is a packet below it',
    async run(b) {
      await b.authority.send(OP.WEIGHT, { slot: 1, value: 300 })
      await b.settle()
      const floor = now(b) + 100
      const archives = [anArchive({ slot: 1, minSequence: { term: 1, sequence: floor } })]
      await b.push({ revision: 2, switch: 'onReceipt', content: { archives } })
      await b.clock.advance(1_000)
      await b.authority.send(OP.POWER, { slot: 1, value: POWER.start, sequence: floor - 1 })
      await b.settle()
      const under = [marks(b), refusals(b), lifecycle(b)]
      await b.authority.send(OP.POWER, { slot: 1, value: POWER.start, sequence: floor })
      await b.settle()
      return [under, marks(b), lifecycle(b)]
    },
    outcome: [[[], { Stale: 1 }, 'Stopped'], [[OP.POWER, 1, POWER.start, 1, 'done']], 'Running'],
  },
]

/** Names of all members, at any depth, with the sort of thing they hold. Entries of a list count once. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [shapeOf(value[0])]
  if (value === null || typeof value !== 'object') return typeof value
  return Object.fromEntries(
    Object.entries(value)
      .map(([name, member]) => [name, shapeOf(member)] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  )
}

const TELEMETRY: Scenario[] = [
  {
    name: 'with nothing to say, a snapshot every 10 s and nothing else',
    async run(b) {
      const before = b.authority.frames.length
      await b.clock.advance(60_000)
      return b.authority.frames.slice(before).map((f) => [f.type, f.part, f.parts])
    },
    outcome: Array.from({ length: 6 }, () => ['full', 1, 1]),
  },
  {
    name: 'sequence and uptime rise by one boot id, over reconnections',
    async run(b) {
      for (const connection of b.authority.connections) connection.destroy()
      await b.settle()
      const { frames } = b.authority
      const rises = frames.every((f, i) => {
        const last = frames[i - 1]
        return !last || (f.header.sequence > last.header.sequence && f.header.uptimeMs >= last.header.uptimeMs)
      })
      return [rises, new Set(frames.map((f) => f.header.bootId)).size, b.authority.connections.length]
    },
    outcome: [true, 1, 2],
  },
  {
    name: 'a change is told at once, as a delta',
    async run(b) {
      const before = b.authority.frames.length
      await b.authority.send(OP.WEIGHT, { slot: 1, value: 200 })
      await b.clock.advance(200)
      const told = b.authority.frames.slice(before)
      return [told.length > 0, told.every((f) => f.type === 'delta'), marks(b)]
    },
    outcome: [true, true, [[OP.WEIGHT, 1, 200, 1, 'done']]],
  },
  {
    name: 'the agent writes on no connection that it accepts, and reads from none that it dials',
    async run(b) {
      const push = await b.push({ revision: 2, content: { attempt: 1 } })
      const got: unknown[] = []
      push.stream.on('data', (bytes: Buffer) => got.push(bytes))
      push.stream.on('end', () => got.push('end'))
      await b.settle()
      const written = b.network.segments.filter((s) => s.from === NODE && s.port === 8092)
      const answered = b.network.datagrams.filter((d) => d.from === NODE && d.port === 8090)
      return [got, written.filter((s) => s.bytes.length > 0), answered]
    },
    outcome: [['end'], [], []],
  },
]

export const SCENARIOS: readonly Scenario[] = [...COMMANDS, ...RESTARTS, ...BUNDLES, ...ARCHIVES, ...TELEMETRY]

/** A report with an entry in every list, for its shape. */
export async function richReport(b: Bench): Promise<unknown> {
  const gone = anArchive({ slot: 2, remove: 'Retain' })
  await power(b, POWER.start)
  await b.authority.send(OP.REKEY, { value: 1 })
  await b.settle()
  await b.authority.send(OP.REKEY, { value: 2 })
  await b.authority.sendRaw(altered(b.authority.packet(OP.PING), 15))
  await b.push({
    revision: 2,
    switch: 'onReceipt',
    content: { archives: [anArchive({ slot: 1 }), anArchive({ slot: 2 })] },
  })
  await b.settle()
  await b.push({ revision: 3, switch: 'onReceipt', content: { archives: [anArchive({ slot: 1 }), gone] } })
  await b.settle()
  await b.push({ revision: 4, content: { attempt: 1 } })
  await b.authority.send(OP.APPLY, { value: 3 })
  await b.settle()
  return shapeOf(b.report())
}
