// Everything the plan of an Archive looks at, read from the ports.
import { FINALIZER } from '../../api/meta.ts'
import type { PpnObject } from '../../api/v1alpha1/index.ts'
import type { BundlePool } from '../../protocol/bundle/document.ts'
import type { Op } from '../../protocol/command/ops.ts'
import { compareSequence, type MiB } from '../../protocol/ids.ts'
import type { ArchiveReport, Mark, NodeReport } from '../../protocol/telemetry/report.ts'
import { admitArchives, type Verdict } from '../admission/admit.ts'
import { admissionInput } from '../admission/claims.ts'
import { channelOf } from '../common/channel.ts'
import { rfc3339 } from '../common/conditions.ts'
import type { Answers } from '../common/effects.ts'
import { objectKey } from '../common/perform.ts'
import { teardownBegun } from '../common/teardown.ts'
import type { ControllerWorld } from '../common/world.ts'
import { foundElsewhere } from '../move/elsewhere.ts'
import { expectedEntry } from '../move/expected.ts'
import { isDeletionGoing, observeMove, type TransferMemory } from '../move/observe.ts'
import { moveOf } from '../move/record.ts'
import type { Placement } from '../ports/allocator.ts'
import { type SeenDefinition, seenDefinition, wantedEntry } from './definition.ts'
import { goalsOf } from './goals.ts'
import type { ArchiveObserved, OpStand } from './observed.ts'
import { type OpMemory, pace } from './pace.ts'
import { progressOf } from './progress.ts'
import { removalOf } from './removal.ts'

type Archive = PpnObject<'Archive'>

/** What this process remembers of one archive; losing it is harmless. */
export interface Memory {
  uid: string
  ops: Map<Op, OpMemory>
  defined?: SeenDefinition
  transfer?: TransferMemory
}

export async function observeArchive(
  world: ControllerWorld,
  archive: Archive,
  answers: Answers,
  memory = remembersNothing(archive.metadata.uid),
): Promise<ArchiveObserved> {
  const { uid, deletionTimestamp } = archive.metadata
  const { allocator, bundles, clock, fleet, holds, store } = world
  const begun = teardownBegun(store.records, uid)
  const hold = deletionTimestamp === undefined || begun ? undefined : await holds.isHeld(archive)
  const confirmed = holds.isConfirmed(archive)
  const placement = allocator.placement(uid)
  const node = placement?.node ?? archive.spec.nodeName
  const view = fleet.view(node)
  const state = bundles.state(node)
  const channel = channelOf(world)
  const report = view.liveness === 'Fresh' && channel !== 'Superseded' ? view.report : undefined
  if (placement && report) {
    const removal = removalOf(archive, begun, confirmed)
    const asked = expectedEntry(world, archive, placement)
    const entry = asked === 'none' ? undefined : wantedEntry(state.content, archive, placement, removal, asked)
    memory.defined = seenDefinition(entry, state, report, memory.defined)
  }
  const defined = report !== undefined && memory.defined !== undefined
  const own = report?.archives.find((a) => a.id === placement?.id)
  const place = answers.place
  const going = isDeletionGoing(archive, begun, hold !== undefined)
  const ops =
    placement && report ? opsOf(world, asToBe(world, archive, going), placement, report, own, defined, memory) : []
  // Without the finalizer nothing is planned but to put it there; at a fleet's first sight that is every archive.
  const { verdict } = archive.metadata.finalizers.includes(FINALIZER) ? verdictFor(world, archive) : {}
  const noSlot = place?.ok === false
  const question = { verdict, noSlot, ops, report: own, deleting: going, before: memory.transfer }
  const move = placement && observeMove(world, archive, { placement, ...question })
  memory.transfer = move?.memory
  const elsewhere = placement && foundElsewhere(world, placement)
  return {
    nowMs: clock.now(),
    deletion: { begun, confirmed, ...(hold && { hold: hold.message }) },
    ...(placement && { placement }),
    // Elsewhere than its pin says, the verdict is about the move.
    ...(verdict && (!placement || placement.node === archive.spec.nodeName) && { verdict }),
    ...(elsewhere && { elsewhere }),
    ...(move && { move }),
    ...(place && !place.ok && { refusedPlace: place }),
    channel,
    liveness: view.liveness,
    ...(view.lastHeardMs !== undefined && { silentSince: rfc3339(view.lastHeardMs) }),
    bundle: {
      stage: state.held ? 'Held' : state.stage,
      ...(state.reason !== undefined && { reason: state.reason }),
      defined,
    },
    ...(own && { report: own }),
    ops,
  }
}

/** At rest while it is given up, and from then on if it is being deleted. */
function asToBe(world: ControllerWorld, archive: Archive, deleting: boolean): Archive {
  const move = moveOf(world.store.records, archive.metadata.uid)
  if (!move || (move.phase !== 'stopping' && !deleting)) return archive
  return { ...archive, spec: { ...archive.spec, runState: 'Archived' } }
}

/** None for who asks nothing: a tombstone, a paused one, one that may not move to where its pin says. */
function verdictFor(world: ControllerWorld, archive: Archive): { verdict?: Verdict } {
  const verdict = admitArchives(admissionInput(world, archive.spec.nodeName)).get(objectKey(archive))
  return verdict ? { verdict } : {}
}

/** Where each op on the slot stands. A command only triggers what the applied bundle lists. */
function opsOf(
  world: ControllerWorld,
  archive: Archive,
  placement: Placement,
  node: NodeReport,
  own: ArchiveReport | undefined,
  defined: boolean,
  memory: Memory,
): OpStand[] {
  const listed = own ? !own.unlisted : defined
  if (!listed) return []
  const report = own ?? absentReport(archive, placement)
  const { slot } = placement
  const marks = node.marks.filter((m) => m.slot === slot && compareSequence(m, placement.minSequence) >= 0)
  const policy = policyInForce(world, placement.node)
  return goalsOf(archive.spec, policy, placement, report).map((goal): OpStand => {
    const mark: Mark | undefined = marks.find((m) => m.op === goal.op)
    const lastSent = world.commands.lastSent(placement.node, goal.op, slot)
    const progress = progressOf({ goal, mark, report, restartPolicy: archive.spec.restartPolicy, lastSent })
    const { generation } = archive.metadata
    const paced = pace(memory.ops.get(goal.op), { goal, progress, mark, generation, nowMs: world.clock.monotonic() })
    memory.ops.set(goal.op, paced.memory)
    return { goal, progress, paced, ...(mark && { mark }) }
  })
}

/** The balloon policy of the bundle that the node is to run: what it allows, may be commanded. */
function policyInForce(world: ControllerWorld, node: string): BundlePool['balloon']['policy'] {
  return world.bundles.state(node).content?.pool.balloon.policy ?? 'Auto'
}

/** What an applied definition looks like that the node has nothing to say of yet. */
function absentReport({ metadata }: Archive, { id, slot }: Placement): ArchiveReport {
  return {
    id,
    slot,
    name: metadata.name,
    namespace: metadata.namespace ?? '',
    lifecycle: 'Absent',
    unlisted: false,
    imageReady: false,
    fencingEpoch: 0,
    memoryActualMiB: 0 as MiB,
    memoryTargetMiB: 0 as MiB,
    cpuTimeMs: 0,
    weight: 0,
    restarts: 0,
  }
}

export const remembersNothing = (uid: string): Memory => ({ uid, ops: new Map<Op, OpMemory>() })
