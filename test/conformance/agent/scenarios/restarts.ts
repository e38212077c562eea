// What a restart keeps, and what mends lost marks.
import { OP, POWER } from '../../../../protocol/command/ops.ts'
import { archive, held, lifecycle, marks, now, refusals, type Scenario } from './look.ts'

export const RESTARTS: Scenario[] = [
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
      await b.push({ revision: 2, switch: 'onReceipt', content: { attempt: 1 } })
      await b.settle()
      const unmended = b.report().marksLost
      const floor = now(b) + 100
      await b.push({ revision: 3, switch: 'onReceipt', content: { minSequence: { term: 1, sequence: floor } } })
      await b.clock.advance(1_000)
      await b.authority.send(OP.PING, { sequence: floor - 1 })
      await b.authority.send(OP.PING, { sequence: floor })
      await b.settle()
      return [lost, unmended, b.report().marksLost, marks(b), refusals(b)]
    },
    outcome: [[true, [], { MarksLost: 1 }], true, false, [[OP.PING, 0, 0, 1, 'done']], { MarksLost: 1, Stale: 1 }],
  },
]
