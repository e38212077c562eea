// All controllers together over the ports: a fleet from nothing to converged, and what one change then costs.
import { expect, test } from 'vitest'
import { OP, POWER } from '../protocol/command/ops.ts'
import type { Sequence, Slot, Term } from '../protocol/ids.ts'
import type { ArchiveReport, Mark } from '../protocol/telemetry/report.ts'
import { buildControllers, type Controllers } from './index.ts'
import { type Drive, drive } from './testing/drive.ts'
import { type FakeWorld, fakeDurable, fakeWorld } from './testing/fake-world.ts'

interface Fleet extends Drive {
  fake: FakeWorld
  controllers: Controllers
}

function start(fake = fakeWorld()): Fleet {
  let controllers: Controllers | undefined
  const driver = drive(() => controllers?.specs ?? [])
  controllers = buildControllers(fake, driver.enqueue)
  controllers.wire(new AbortController().signal)
  return { ...driver, fake, controllers }
}

const archiveName = (n: number) => `cluster-totebox-x-${n}`
const archiveSpec = (nodeName: string, more: object = {}) => ({
  nodeName,
  image: { source: 'file:///img/x.raw', sha256: 'a'.repeat(64), format: 'raw' },
  memory: { floor: '256Mi', max: '512Mi' },
  ...more,
})

function declare(fake: FakeWorld, spokes: number, archives: number): void {
  fake.node('hub-1', { role: 'hub', site: 'cloud', endpoint: 'hub:51820' })
  for (let n = 0; n < spokes; n++) fake.node(`edge-${n}`)
  for (let n = 0; n < archives; n++) fake.store.put('Archive', archiveName(n), archiveSpec(`edge-${n % spokes}`))
}

const LIFECYCLE: Record<number, ArchiveReport['lifecycle']> = {
  [POWER.start]: 'Running',
  [POWER.suspend]: 'Suspended',
  [POWER.stop]: 'Stopped',
}

/** Agents that obey at once: apply what is wanted, do what is commanded, and report it. */
async function obey(fleet: Fleet, rounds = 6): Promise<void> {
  const { fake } = fleet
  await fleet.settle()
  for (let round = 0; round < rounds; round++) {
    for (const { metadata } of fake.store.list('Node')) {
      const { name } = metadata
      const { content } = fake.bundles.state(name)
      if (!content) continue
      const before = fake.fleet.view(name).report
      const marks = new Map<string, Mark>((before?.marks ?? []).map((mark) => [`${mark.op}/${mark.slot}`, mark]))
      for (const { op, slot, value } of fake.commands.pending(name)) {
        fake.commands.sent(name, op, slot, value)
        marks.set(`${op}/${slot}`, { op, slot, value, term: 1 as Term, sequence: 1 as Sequence, state: 'done' })
      }
      const valueAt = (op: number, slot: Slot) => marks.get(`${op}/${slot}`)?.value
      const archives = content.archives
        .filter((entry) => entry.remove === undefined)
        .map(
          (entry): ArchiveReport => ({
            id: entry.id,
            slot: entry.slot,
            name: entry.name,
            namespace: entry.namespace,
            lifecycle: LIFECYCLE[valueAt(OP.POWER, entry.slot) ?? POWER.stop] ?? 'Stopped',
            unlisted: false,
            imageReady: true,
            fencingEpoch: entry.fencingEpoch,
            memoryActualMiB: entry.maxMiB,
            memoryTargetMiB: entry.maxMiB,
            cpuTimeMs: 0,
            weight: valueAt(OP.WEIGHT, entry.slot) ?? 100,
            restarts: 0,
          }),
        )
      fake.apply(name, { marks: [...marks.values()], archives })
    }
    await fleet.settle()
  }
}

const unready = ({ fake }: Fleet) =>
  [...fake.store.list('Node'), ...fake.store.list('Archive')]
    .filter((object) => object.status?.conditions.find((c) => c.type === 'Ready')?.status !== 'True')
    .map((object) => `${object.metadata.name}: ${object.status?.conditions.find((c) => c.type === 'Ready')?.message}`)

async function converged(spokes = 4, archives = 8): Promise<Fleet> {
  const fleet = start()
  declare(fleet.fake, spokes, archives)
  await obey(fleet)
  fleet.taken()
  fleet.fake.bundles.published.length = 0
  fleet.fake.recorded.length = 0
  return fleet
}

test('a fleet converges from nothing, and then wants nothing', async () => {
  const fleet = start()
  declare(fleet.fake, 4, 8)
  await obey(fleet)
  expect(unready(fleet)).toEqual([])
  expect(fleet.fake.commands.wanted.size).toBe(0)
  expect(fleet.fake.bundles.state('edge-0').content?.archives.map((entry) => entry.slot)).toEqual([1, 2])
})

test('law 6: running everything again sends, publishes and writes nothing', async () => {
  const fleet = await converged()
  const versions = () =>
    [...fleet.fake.store.list('Node'), ...fleet.fake.store.list('Archive')].map((o) => o.metadata.resourceVersion)
  const before = versions()
  fleet.controllers.refresh('test')
  await fleet.settle()
  expect(versions()).toEqual(before)
  expect(fleet.fake.bundles.published).toEqual([])
  expect(fleet.fake.commands.wanted.size).toBe(0)
  expect(fleet.fake.recorded).toEqual([])
})

test('one changed archive publishes its node’s bundle and no other', async () => {
  const fleet = await converged()
  fleet.fake.store.put('Archive', archiveName(1), archiveSpec('edge-1', { cpu: { vcpus: 2 } }))
  await fleet.settle()
  expect(fleet.fake.bundles.published.map(({ node }) => node)).toEqual(['edge-1'])
  await obey(fleet)
  expect(unready(fleet)).toEqual([])
})

test('one changed archive runs only what shares its node', async () => {
  const fleet = await converged(20, 40)
  fleet.fake.store.put('Archive', archiveName(3), archiveSpec('edge-3', { cpu: { weight: 300 } }))
  await fleet.settle()
  const touched = new Set(fleet.taken())
  expect([...touched].sort()).toEqual([
    `Archive/default/${archiveName(23)}`,
    `Archive/default/${archiveName(3)}`,
    'Node/edge-3',
  ])
})

test('a deleted archive ends by `remove` in the bundle, and its entry goes once it is shown gone', async () => {
  const fleet = await converged()
  fleet.fake.store.bury(`Archive/default/${archiveName(1)}`)
  await fleet.settle()
  const entries = () => fleet.fake.bundles.state('edge-1').content?.archives.map(({ name, remove }) => [name, remove])
  expect(entries()).toEqual([
    [archiveName(1), 'Retain'],
    [archiveName(5), undefined],
  ])
  await obey(fleet)
  expect(fleet.fake.store.get('Archive', archiveName(1), 'default')).toBeUndefined()
  expect(entries()).toEqual([[archiveName(5), undefined]])
})

test('a restart converges to the same state without a command', async () => {
  const durable = fakeDurable()
  const first = start(fakeWorld(durable))
  declare(first.fake, 4, 8)
  await obey(first)
  const second = start(fakeWorld(durable, first.fake.clock))
  await second.settle()
  for (const { node, report } of first.fake.fleet.views()) second.fake.fleet.hear(node, report)
  await second.settle()
  expect(second.fake.commands.wanted.size).toBe(0)
  expect(unready(second)).toEqual([])
  for (const name of ['hub-1', 'edge-0'])
    expect(second.fake.bundles.state(name).digest).toBe(first.fake.bundles.state(name).digest)
})

test('law 2: with all telemetry cut everything that was Ready is Unknown, and nothing is deleted', async () => {
  const fleet = await converged()
  for (const view of fleet.fake.fleet.views()) fleet.fake.fleet.set({ ...view, liveness: 'Stale' })
  await fleet.settle()
  const statuses = [...fleet.fake.store.list('Node'), ...fleet.fake.store.list('Archive')].map(
    (object) => object.status?.conditions.find((c) => c.type === 'Ready')?.status,
  )
  expect(new Set(statuses)).toEqual(new Set(['Unknown']))
  expect(statuses).toHaveLength(13)
  expect(fleet.fake.bundles.withdrawn).toEqual([])
})

test('law 3: a folder emptied is held, all of it, and nothing reaches a machine', async () => {
  const fleet = await converged()
  for (const object of [...fleet.fake.store.list('Node'), ...fleet.fake.store.list('Archive')])
    fleet.fake.store.bury([object.kind, object.metadata.namespace, object.metadata.name].filter(Boolean).join('/'))
  await fleet.settle()
  fleet.elapse()
  await fleet.settle()
  expect(fleet.controllers.holds.list()).toHaveLength(13)
  expect(fleet.fake.bundles.published).toEqual([])
  expect(fleet.fake.commands.wanted.size).toBe(0)
})
