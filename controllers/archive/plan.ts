// What to do about one archive. Pure: from the object and what was observed to effects.
import { FINALIZER } from '../../api/meta.ts'
import type { PpnObject } from '../../api/v1alpha1/index.ts'
import type { Memory } from '../admission/admit.ts'
import type { Effect } from '../common/effects.ts'
import { isNews, isOrphan, isPaused, statusEffect, verdictEvent } from '../common/status.ts'
import type { Elsewhere } from '../move/elsewhere.ts'
import { CUT_MS } from '../move/observe.ts'
import type { WantedCommand } from '../ports/commands.ts'
import type { ArchiveObserved } from './observed.ts'
import { DISK_RETAINED, statusOf, verdictOf } from './status.ts'

type Archive = PpnObject<'Archive'>

export function planArchive(archive: Archive, observed: ArchiveObserved): Effect[] {
  const { deletion } = observed
  if (isPaused(archive)) return [...silence(observed), ...tell(archive, observed)]
  if (observed.elsewhere && !isOrphan(archive)) return takeOver(observed.elsewhere, observed)
  const tombstone = archive.metadata.deletionTimestamp !== undefined
  // A held deletion (law 3) changes nothing: the archive lives on as declared.
  if (tombstone && (isOrphan(archive) || deletion.begun || deletion.hold === undefined))
    return planDeletion(archive, observed)
  return planLife(archive, observed)
}

function planLife(archive: Archive, observed: ArchiveObserved): Effect[] {
  const { placement, ops } = observed
  const living = archive.metadata.deletionTimestamp === undefined
  // Before the first durable fact about it: an object without the finalizer could vanish and leave its slot behind.
  if (living && !archive.metadata.finalizers.includes(FINALIZER)) return [{ type: 'addFinalizer' }]
  const step = moveEffects(observed)
  if (step.length > 0) return step
  const accepted = acceptedMemory(observed)
  const settled = placement && accepted && same(placement, accepted)
  const elsewhere = placement !== undefined && placement.node !== archive.spec.nodeName
  if (living && accepted && !settled && !elsewhere && !observed.refusedPlace) {
    const { nodeName, adoptDisk } = archive.spec
    return [{ type: 'place', node: nodeName, ...accepted, ...(adoptDisk !== undefined && { adoptDisk }) }]
  }
  const cutMs = observed.move?.memory ? [CUT_MS] : []
  const waits = [...ops.map((o) => o.paced.againMs), ...cutMs].filter((ms) => ms !== undefined)
  return [
    ...commandsOf(observed),
    ...tell(archive, observed),
    ...(waits.length > 0 ? [{ type: 'again', afterMs: Math.min(...waits) } satisfies Effect] : []),
  ]
}

/** Its record follows it to where both nodes show it; a move begun from the old record is none. */
function takeOver({ node, slot, fencingEpoch }: Elsewhere, observed: ArchiveObserved): Effect[] {
  const message = `it was moved to ${node} after the backup that this authority was restored from; its place is there now`
  return [
    ...endMove(observed),
    ...silence(observed),
    { type: 'takeOver', node, slot, fencingEpoch },
    { type: 'event', eventType: 'Normal', reason: 'FoundElsewhere', message },
  ]
}

/** What its slot is to be told now, and that a node it has left is told nothing more. */
function commandsOf({ placement, ops, move }: ArchiveObserved): Effect[] {
  if (!placement) return []
  const { phase, from, leftover } = move?.record ?? {}
  // Given up or not there yet: nothing is started.
  const quiet = phase === 'releasing' || phase === 'copying'
  const commands = ops.flatMap(({ goal, paced }): WantedCommand[] =>
    paced.send && !quiet ? [{ op: goal.op, slot: placement.slot, value: goal.value, ...paced.send }] : [],
  )
  const left = new Set([from?.node, leftover?.node].flatMap((node) => node ?? []))
  left.delete(placement.node)
  return [
    ...[...left].map((node): Effect => ({ type: 'commands', node, commands: [] })),
    { type: 'commands', node: placement.node, commands },
  ]
}

/** The step of its move, if there is one to take. */
function moveEffects({ move, placement }: ArchiveObserved): Effect[] {
  if (!placement) return []
  const { floorMiB, maxMiB } = placement
  switch (move?.step.do) {
    case 'record':
      return [{ type: 'move', move: move.step.move }]
    case 'place':
      return [{ type: 'place', node: move.step.node, floorMiB, maxMiB }]
    case 'raise':
      return [{ type: 'raiseEpoch' }]
    default:
      return []
  }
}

/** What its placement should say: the accepted figures, also when a raise was refused. */
function acceptedMemory({ verdict }: ArchiveObserved): Memory | undefined {
  return verdict?.admitted ? verdict.memory : verdict?.keeps
}

function same(a: Memory, b: Memory): boolean {
  return a.floorMiB === b.floorMiB && a.maxMiB === b.maxMiB
}

/**
 * Stop ladder and disk are the node's, told by `remove` in its bundle; over when fresh telemetry shows that bundle
 * applied and the archive gone. An unheard node is waited for.
 */
function planDeletion(archive: Archive, observed: ArchiveObserved): Effect[] {
  const { placement, deletion } = observed
  if (!archive.metadata.finalizers.includes(FINALIZER)) return silence(observed)
  if (!placement) return [{ type: 'removeFinalizer' }]
  // No machine is touched: the entry leaves the bundle without `remove`, and the name applied again has it back.
  if (isOrphan(archive))
    return [
      ...endMove(observed),
      ...silence(observed),
      { type: 'releasePlacement', orphaned: true },
      { type: 'removeFinalizer' },
    ]
  // First it is one archive in one place again, whichever its move comes to.
  if (observed.move?.record) {
    const step = moveEffects(observed)
    return step.length > 0 ? step : [...commandsOf(observed), ...tell(archive, observed)]
  }
  if (isRemoved(observed)) return [...silence(observed), { type: 'releasePlacement' }, { type: 'removeFinalizer' }]
  const unconfirmed = archive.spec.deletionPolicy === 'Delete' && !deletion.confirmed
  const retained: Effect = {
    type: 'event',
    eventType: 'Warning',
    reason: 'DiskRetained',
    message: DISK_RETAINED(archive.metadata.name),
  }
  return [
    ...(deletion.begun ? [] : [{ type: 'commitDeletion' } satisfies Effect]),
    ...(deletion.begun || !unconfirmed ? [] : [retained]),
    ...silence(observed),
    ...tell(archive, observed),
  ]
}

/** Law 3: absence counts only in a frame that shows the bundle with `remove` applied. */
function isRemoved({ deletion, liveness, channel, bundle, report }: ArchiveObserved): boolean {
  if (!deletion.begun || liveness !== 'Fresh' || channel === 'Superseded' || !bundle.defined) return false
  return report === undefined || report.lifecycle === 'Removed'
}

/** A node it has left keeps what it has, as the one it is on does. */
function endMove({ move }: ArchiveObserved): Effect[] {
  return move?.record ? [{ type: 'move', move: undefined }] : []
}

/** Nothing is being asked of its slot. */
function silence({ placement }: ArchiveObserved): Effect[] {
  return placement ? [{ type: 'commands', node: placement.node, commands: [] }] : []
}

/** Status, and events where the verdict is news (law 13). */
function tell(archive: Archive, observed: ArchiveObserved): Effect[] {
  const found = verdictOf(archive, observed)
  const told = [...statusEffect(archive, statusOf(archive, observed)), ...verdictEvent(archive, found)]
  return isNews(archive.status?.conditions, found, archive.metadata.generation)
    ? [...told, ...holderEvents(archive, observed)]
    : told
}

/** Who holds what a newcomer was refused, learns of it. */
function holderEvents({ metadata }: Archive, { placement, verdict }: ArchiveObserved): Effect[] {
  if (placement || !verdict || verdict.admitted) return []
  const message = `archive ${metadata.namespace}/${metadata.name} was refused (${verdict.reason}): this one holds what it asks for`
  return verdict.holders.map((about) => ({
    type: 'event',
    eventType: 'Warning',
    reason: 'NewcomerRefused',
    message,
    about,
  }))
}
