// An archive on a node of a fake fleet, for tests: what the node shows is what the test says.
import type { ArchiveStatus } from '../../api/v1alpha1/archive.ts'
import { OP, type Op } from '../../protocol/command/ops.ts'
import type { ArchiveId, FencingEpoch, MiB, Sequence, Slot, Term } from '../../protocol/ids.ts'
import type { ArchiveReport, Mark } from '../../protocol/telemetry/report.ts'
import { archiveController } from '../archive/controller.ts'
import { nodeController } from '../node/controller.ts'
import { poolController } from '../pool/controller.ts'
import type { WantedCommand } from '../ports/commands.ts'
import { type FakeDurable, fakeDurable, fakeId, fakeWorld } from './fake-world.ts'
import { type Run, runControllers } from './run.ts'

export const NAME = 'gateway-orchestration-mail-1'
export const KEY = `Archive/vault/${NAME}`
export const NODE = 'edge-2'
/** What the fake store and allocator make of the name. */
export const UID = `uid-${NAME}`
export const ID = fakeId(KEY) as ArchiveId

export const SPEC = {
  nodeName: NODE,
  image: { source: 'file:///img/x.raw', sha256: 'a'.repeat(64), format: 'raw' },
  memory: { floor: '256Mi', max: '1Gi' },
}

export function mark(op: Op, value: number, sequence = 1, state: Mark['state'] = 'done'): Mark {
  return { op, slot: 1 as Slot, term: 1 as Term, sequence: sequence as Sequence, value, state }
}

export function shows(over: Partial<ArchiveReport> = {}): ArchiveReport {
  return {
    id: ID,
    slot: 1 as Slot,
    name: NAME,
    namespace: 'vault',
    lifecycle: 'Running',
    unlisted: false,
    imageReady: true,
    fencingEpoch: 1 as FencingEpoch,
    memoryActualMiB: 1024 as MiB,
    memoryTargetMiB: 1024 as MiB,
    cpuTimeMs: 0,
    weight: 100,
    restarts: 0,
    ...over,
  }
}

export const STARTED = [mark(OP.POWER, 1), mark(OP.WEIGHT, 100)]

export interface Fleet extends Run {
  /** The node is heard, with the bundle that is wanted for it applied. */
  applied(archive?: Partial<ArchiveReport> | 'gone', marks?: Mark[]): Promise<void>
  /** The node is heard; its bundle is the one it ran before. */
  heard(archive: Partial<ArchiveReport>, marks?: Mark[]): Promise<void>
  spec(change: object, annotations?: Record<string, string>): Promise<void>
  remove(annotations?: Record<string, string>): Promise<void>
  status(): ArchiveStatus | undefined
  /** `True Running`. */
  condition(type: string): string | undefined
  wanted(): readonly WantedCommand[]
  entry(): { remove?: string } | undefined
}

/** Hub, node and a second archive, so that a deletion is not that of the last of its kind. Nothing is heard yet. */
export async function declaredFleet(durable: FakeDurable = fakeDurable()): Promise<Fleet> {
  const run = runControllers(
    (world) => [nodeController(world), poolController(world), archiveController(world)],
    fakeWorld(durable),
  )
  const { store, fleet, bundles, commands } = run.fake
  run.fake.node('hub-1', { role: 'hub', site: 'cloud', endpoint: 'hub:51820' })
  run.fake.node(NODE)
  store.put('Archive', NAME, SPEC, { namespace: 'vault' })
  for (const n of [2, 3, 4])
    store.put('Archive', `gateway-orchestration-mail-${n}`, { ...SPEC, nodeName: 'hub-1' }, { namespace: 'vault' })
  await run.settle()
  const object = () => store.get('Archive', NAME, 'vault')
  const tell = async (how: 'apply' | 'hear', archive: Partial<ArchiveReport> | 'gone', marks?: Mark[]) => {
    const archives = archive === 'gone' ? [] : [shows(archive)]
    const report = { archives, ...(marks && { marks }) }
    if (how === 'apply') run.fake.apply(NODE, report)
    else fleet.hear(NODE, report)
    await run.settle()
  }
  return {
    ...run,
    applied: (archive = {}, marks) => tell('apply', archive, marks),
    heard: (archive, marks) => tell('hear', archive, marks),
    async spec(change, annotations = {}) {
      store.put('Archive', NAME, { ...SPEC, ...change }, { namespace: 'vault', annotations })
      await run.settle()
    },
    async remove(annotations = {}) {
      if (Object.keys(annotations).length > 0)
        store.put('Archive', NAME, object()?.spec, { namespace: 'vault', annotations })
      store.bury(KEY)
      await run.settle()
    },
    status: () => object()?.status,
    condition: (type) => {
      const found = object()?.status?.conditions.find((c) => c.type === type)
      return found && `${found.status} ${found.reason}`
    },
    wanted: () => commands.wanted.get(KEY)?.commands ?? [],
    entry: () => bundles.state(NODE).content?.archives.find((a) => a.id === ID),
  }
}

/** The same, with the archive admitted, placed, started and Ready. */
export async function runningFleet(durable?: FakeDurable): Promise<Fleet> {
  const fleet = await declaredFleet(durable)
  fleet.fake.fleet.hear(NODE)
  fleet.fake.fleet.hear('hub-1')
  await fleet.settle()
  await fleet.applied({}, STARTED)
  // Nothing here is about the second deletion of one window.
  await fleet.fake.clock.advance(3_600_000)
  return fleet
}
