// Beyond the scenarios that somebody thought of: the same random orders to both agents, and the same end.
import { expect, test } from 'vitest'
import { BALLOON_UNIT_MIB, OP, type Op } from '../../../protocol/command/ops.ts'
import { sequenceAt } from '../../../protocol/command/sequence.ts'
import type { ArchiveReport } from '../../../protocol/telemetry/report.ts'
import { anArchive } from '../../../testing/bundle-fixtures.ts'
import { seededRandom } from '../../../testing/seeded-random.ts'
import { type Bench, bench } from './bench.ts'
import { SUBJECTS } from './subjects.ts'

const SEEDS = 8
const STEPS = 30
/** A simulated guest boots, stops and gives memory within it. */
const STEP_MS = 20_000
const OPS: Op[] = [OP.PING, OP.APPLY, OP.ISOLATE, OP.POWER, OP.POWER, OP.POWER, OP.BALLOON, OP.WEIGHT, OP.REKEY]

/** Orders as data, so that both agents get the same. */
type Order =
  | { do: 'command'; op: Op; slot: number; value: number; early: number; target: number }
  | { do: 'again' | 'restart' }
  | { do: 'term'; by: number }
  | { do: 'bundle'; by: number; onReceipt: boolean; slots: number; attempt: number; manual: boolean }

function orders(seed: number): Order[] {
  const random = seededRandom(`agree ${seed}`)
  const pick = (n: number): number => Buffer.from(random(4)).readUInt32BE() % n
  const valueFor = (op: Op): number => {
    if (op === OP.PING) return 0
    if (op === OP.APPLY) return 1 + pick(12)
    if (op === OP.POWER) return pick(4)
    if (op === OP.ISOLATE) return pick(2)
    if (op === OP.BALLOON) return 200 / BALLOON_UNIT_MIB + pick(70)
    return op === OP.REKEY ? 2 : 1 + pick(1000)
  }
  return Array.from({ length: STEPS }, (): Order => {
    const kind = pick(16)
    if (kind < 9) {
      const op = OPS[pick(OPS.length)] as Op
      const ofArchive = op === OP.POWER || op === OP.BALLOON || op === OP.WEIGHT
      const value = Math.floor(valueFor(op))
      return {
        do: 'command',
        op,
        slot: ofArchive ? 1 + pick(3) : 0,
        value,
        early: pick(4) === 0 ? 400 : 0,
        target: pick(8) === 0 ? 9 : 7,
      }
    }
    if (kind < 11) return { do: 'again' }
    if (kind === 11) return { do: 'restart' }
    if (kind === 12) return { do: 'term', by: pick(19) }
    return {
      do: 'bundle',
      by: pick(4) - 1,
      onReceipt: pick(3) === 0,
      slots: 1 + pick(2),
      attempt: pick(3),
      manual: pick(2) === 0,
    }
  })
}

async function play(which: 'fake' | 'real', seed: number): Promise<unknown[]> {
  const b = await bench(SUBJECTS[which])
  await b.join()
  const sent: Uint8Array[] = []
  let revision = 1
  const seen: unknown[] = []
  for (const order of orders(seed)) {
    await give(b, order)
    await b.clock.advance(STEP_MS)
    seen.push([order, state(b)])
  }
  await b.end()
  return seen

  async function give({ authority, agent, clock }: Bench, order: Order): Promise<void> {
    switch (order.do) {
      case 'command': {
        const { op, slot, value, target, early } = order
        const sequence = sequenceAt(authority.meshEpochMs, clock.now()) - early
        sent.push(await authority.send(op, { slot, value, target, sequence }))
        return
      }
      case 'again':
        for (const bytes of sent.slice(-3)) await authority.sendRaw(bytes)
        return
      case 'restart':
        await agent.restart()
        return
      case 'term':
        // Too far ahead is not taken, and then this authority stays where it was.
        if (order.by <= 16) authority.state.term += order.by
        await authority.send(OP.PING, { term: authority.state.term + (order.by <= 16 ? 0 : order.by) })
        return
      case 'bundle': {
        revision = Math.max(1, revision + order.by)
        const archives = Array.from({ length: order.slots }, (_, i) => anArchive({ slot: i + 1 }))
        const { pool } = authority.content()
        const policy = order.manual ? ('Manual' as const) : ('Auto' as const)
        const content = { archives, attempt: order.attempt, pool: { ...pool, balloon: { ...pool.balloon, policy } } }
        await b.push({ revision, switch: order.onReceipt ? 'onReceipt' : 'onApply', content })
      }
    }
  }
}

/** Of a machine at rest it means nothing. */
const weightOf = (a: ArchiveReport) => (['Running', 'Suspended'].includes(a.lifecycle) ? a.weight : undefined)

/** What telemetry says, but for what only a real machine has: figures that move, and memory that Auto moves. */
function state(b: Bench): unknown {
  const { bundles, told, marks, refusals, isolated, peers, archives, pendingKeys, retainedDisks } = b.report()
  return {
    bundles: Object.entries(bundles).map(([name, held]) => [name, held?.term, held?.revision]),
    told,
    marks: marks.map((m) => [m.op, m.slot, m.term, m.sequence, m.value, m.state]).sort(),
    refusals,
    isolated,
    peers: peers.map((p) => [p.name, p.path, p.allowedIPs]),
    archives: archives
      .map((a) => [a.slot, a.lifecycle, a.unlisted, a.imageReady, a.fencingEpoch, weightOf(a), a.restarts])
      .sort(),
    pending: Object.keys(pendingKeys),
    retainedDisks,
    term: b.authority.frames.at(-1)?.term,
  }
}

test.each(Array.from({ length: SEEDS }, (_, seed) => seed))(
  'the same orders have the same effects, seed %i',
  async (seed) => {
    const real = await play('real', seed)
    const fake = await play('fake', seed)
    for (const [at, step] of real.entries()) expect(fake[at], `step ${at}`).toEqual(step)
  },
)

test('the orders reach what they are meant to reach', async () => {
  const runs = []
  for (let seed = 0; seed < SEEDS; seed++) runs.push(await play('fake', seed))
  const text = JSON.stringify(runs)
  const reached = [
    ...['Running', 'Suspended', 'Stopped', 'Duplicate', 'Stale', 'BadTag', 'NotAllowed', 'UnknownSlot', 'NotNewer'],
    ...['"staged"', '"isolated":true', '"wireguardPublicKey"', '"told":{'],
  ]
  expect(reached.filter((what) => !text.includes(what))).toEqual([])
  expect(text).toMatch(/"applied",\d+,[2-9]/)
})
