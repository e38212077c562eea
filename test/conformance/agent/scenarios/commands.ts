// Section 7.1: which packets act, and what of them.
import { OP, POWER } from '../../../../protocol/command/ops.ts'
import { type Bench, HUB, NODE, STRANGER } from '../bench.ts'
import { altered, archive, lifecycle, marks, now, power, refusals, type Scenario } from './look.ts'

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
export const COMMANDS: Scenario[] = [
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
  {
    name: 'a node whose clock is not synchronised says so, and refuses nothing by age',
    async run(b) {
      b.agent.loseClock()
      await b.settle()
      await b.authority.send(OP.PING, { sequence: now(b) - 500 * 16 })
      await b.settle()
      return [b.report().clockSynchronised, marks(b), refusals(b)]
    },
    outcome: [false, [[OP.PING, 0, 0, 1, 'done']], {}],
  },
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
      b.authority.state.term = 3
      await b.authority.send(OP.PING)
      await b.settle()
      return b.authority.connections.map(({ stream }) => stream.destroyed)
    },
    outcome: [true, false],
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
    name: 'an authority’s own node is neither isolated nor severed',
    async run(b) {
      const authorities = b.authority.content().authorities.map((a) => ({ ...a, addresses: [HUB, NODE] }))
      await b.push({ revision: 2, switch: 'onReceipt', content: { authorities } })
      await b.settle()
      await b.authority.send(OP.ISOLATE, { value: 1 })
      await b.authority.send(OP.SEVER, { value: 1 })
      await b.settle()
      return [b.report().isolated, refusals(b), marks(b)]
    },
    outcome: [false, { NotAllowed: 2 }, []],
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
