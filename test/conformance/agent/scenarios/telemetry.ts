// Section 7.3, and law 1.
import { OP, POWER } from '../../../../protocol/command/ops.ts'
import { anArchive } from '../../../../testing/bundle-fixtures.ts'
import { type Bench, HUB, NODE } from '../bench.ts'
import { altered, marks, power, type Scenario } from './look.ts'

export const TELEMETRY: Scenario[] = [
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
      const push = await b.network.transport().connect(HUB, NODE, 8092, new AbortController().signal)
      const got: unknown[] = []
      push.stream.on('data', (bytes: Buffer) => got.push(bytes))
      push.stream.on('end', () => got.push('end'))
      push.stream.on('error', () => {})
      // Half-closed as it is accepted: before anything was pushed.
      await b.clock.advance(100)
      const early = [...got]
      push.stream.end()
      await b.settle()
      const written = b.network.segments.filter((s) => s.from === NODE && s.port === 8092)
      const answered = b.network.datagrams.filter((d) => d.from === NODE && d.port === 8090)
      return [early, got, written.filter((s) => s.bytes.length > 0), answered]
    },
    outcome: [['end'], ['end'], [], []],
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
