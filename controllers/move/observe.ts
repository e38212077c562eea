// What the next step of a move looks at, read from the ports.
import type { PpnObject } from '../../api/v1alpha1/index.ts'
import { OP } from '../../protocol/command/ops.ts'
import type { ArchiveReport, NodeReport } from '../../protocol/telemetry/report.ts'
import type { Verdict } from '../admission/admit.ts'
import type { OpStand } from '../archive/observed.ts'
import { channelOf } from '../common/channel.ts'
import { isOrphan } from '../common/status.ts'
import type { ControllerWorld } from '../common/world.ts'
import type { Placement } from '../ports/allocator.ts'
import { type MoveFacts, type MoveStep, nextStep } from './next.ts'
import { type Move, moveOf } from './record.ts'

type Archive = PpnObject<'Archive'>

/** A push that has brought nothing new for this long is cut: its order then names the chunk to go on from. */
export const CUT_MS = 15_000

/** Held chunks when they last changed; losing it costs one more CUT_MS. */
export interface TransferMemory {
  held: number
  /** Clock.monotonic() */
  sinceMs: number
}

export interface MoveObserved {
  step: MoveStep
  record?: Move
  /** Of the pinned node, about a move there. */
  verdict?: Verdict
  /** The old node is heard. */
  sourceFresh: boolean
  memory?: TransferMemory
}

export interface MoveQuestion {
  placement: Placement
  verdict: Verdict | undefined
  noSlot: boolean
  ops: readonly OpStand[]
  /** The archive in the fresh telemetry of the node it is placed on. */
  report: ArchiveReport | undefined
  /** The deletion goes on: held and orphaned ones do not. */
  deleting: boolean
  before: TransferMemory | undefined
}

/** undefined: it is where it belongs, or has no place yet. */
export function observeMove(world: ControllerWorld, archive: Archive, q: MoveQuestion): MoveObserved | undefined {
  const { placement, report } = q
  const record = moveOf(world.store.records, archive.metadata.uid)
  const { nodeName, relocation } = archive.spec
  if (!record && placement.node === nodeName) return undefined
  const source = freshReport(world, record?.from.node ?? placement.node)
  const transfer = heldOf(q.before, report?.receiving?.held, world.clock.monotonic())
  const cut = transfer && transfer.held > 0 && world.clock.monotonic() - transfer.sinceMs >= CUT_MS
  const release = record && releaseOf(source, record)
  const facts: MoveFacts = {
    ...(record && { move: record }),
    placement,
    ...(!q.deleting && { pin: nodeName }),
    served: relocation === 'OnPinChange' && archive.metadata.deletionTimestamp === undefined,
    admitted: q.verdict?.admitted ?? false,
    noSlot: q.noSlot,
    stopped: isStopped(q),
    ...(release && { release }),
    ready: isReady(q),
    asDeclared: isReady(q) && isAsDeclared(archive, report),
    leftoverGone: record?.leftover !== undefined && isGone(world, record.leftover),
    ...(cut && { cutAt: transfer.held }),
  }
  return {
    step: nextStep(facts),
    ...(record && { record }),
    ...(q.verdict && { verdict: q.verdict }),
    sourceFresh: source !== undefined,
    ...(transfer && { memory: transfer }),
  }
}

/** The deletion of an archive is under way, so a move of it only finishes or goes back. */
export function isDeletionGoing(archive: Archive, begun: boolean, held: boolean): boolean {
  return archive.metadata.deletionTimestamp !== undefined && !isOrphan(archive) && (begun || !held)
}

export function freshReport(world: ControllerWorld, node: string): NodeReport | undefined {
  const { liveness, report } = world.fleet.view(node)
  return liveness === 'Fresh' && channelOf(world) !== 'Superseded' ? report : undefined
}

function heldOf(before: TransferMemory | undefined, held: number | undefined, nowMs: number) {
  if (held === undefined) return undefined
  return before?.held === held ? before : { held, sinceMs: nowMs }
}

/**
 * POWER 0 is marked, done, and in effect; a slot never told anything is at rest as it is. While its disk is being made
 * there is nothing to give up yet.
 */
function isStopped({ ops, report }: MoveQuestion): boolean {
  if (!report?.imageReady) return false
  const power = ops.find(({ goal }) => goal.op === OP.POWER)
  return power?.progress.state === 'settled' && (power.mark?.state ?? 'done') === 'done'
}

/** Telemetry holds only releases whose signature was verified as the frame came in (controllers/ports/fleet.ts). */
function releaseOf(source: NodeReport | undefined, { from }: Move): MoveFacts['release'] {
  const found = source?.releases.find((r) => r.archive === from.id && r.fencingEpoch >= from.fencingEpoch)
  return found && { ...(found.chunkListRoot !== undefined && { root: found.chunkListRoot }) }
}

function isReady({ report, placement }: MoveQuestion): boolean {
  return (
    report !== undefined &&
    report.slot === placement.slot &&
    report.imageReady &&
    !report.unlisted &&
    report.fencingEpoch === placement.fencingEpoch
  )
}

function isAsDeclared({ spec }: Archive, report: ArchiveReport | undefined): boolean {
  return report?.lifecycle === { Running: 'Running', Suspended: 'Suspended', Archived: 'Stopped' }[spec.runState]
}

/** Its node runs the very bundle that deletes it and shows nothing of it any more; or there is no such node now. */
function isGone(world: ControllerWorld, { node, id, slot }: Placement): boolean {
  if (!world.store.get('Node', node)) return true
  const report = freshReport(world, node)
  const { content, digest } = world.bundles.state(node)
  const told = content?.archives.some((a) => a.id === id && a.slot === slot && a.remove === 'Delete')
  if (!report || !told || report.bundles.applied?.digest !== digest) return false
  const shown = report.archives.find((a) => a.id === id)
  return shown === undefined || shown.lifecycle === 'Removed'
}
