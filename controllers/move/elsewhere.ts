// Records out of a backup may be older than a move: the archive then lives where they do not say (section 7.6).
//
// Its place is taken over from telemetry only when both nodes say the same: the one of our records shows its signed
// release of the epoch we know, so it never starts the archive again, and another one shows the whole disk under a
// higher epoch, which only a later record of ours can have given. One node alone, lying or stale, moves nothing (law 7).
import type { ControllerWorld } from '../common/world.ts'
import type { Placement } from '../ports/allocator.ts'
import { freshReport } from './observe.ts'
import { moveOf } from './record.ts'

/** Where it really is. */
export type Elsewhere = Pick<Placement, 'node' | 'slot' | 'fencingEpoch'>

/** undefined: it is where our records say, or nobody can tell. */
export function foundElsewhere(world: ControllerWorld, placement: Placement): Elsewhere | undefined {
  const { id, node, fencingEpoch } = placement
  const given = releasedOn(world, node, placement)
  if (given === undefined || given < fencingEpoch) return undefined
  // A move of ours that has given up the old place knows where the archive goes; before that it may be a repetition.
  const move = moveOf(world.store.records, placement.archiveUid)
  if (move && (move.from.node !== node || move.phase === 'returning' || move.phase === 'cleaning')) return undefined
  const found = world.index.nodes().flatMap(({ metadata: { name } }): Elsewhere[] => {
    if (name === node) return []
    const shown = freshReport(world, name)?.archives.find((one) => one.id === id)
    if (!shown?.imageReady || shown.lifecycle === 'Removed' || shown.fencingEpoch <= given) return []
    if ((releasedOn(world, name, placement) ?? 0) >= shown.fencingEpoch) return []
    return isRecorded(world, name, shown.slot)
      ? []
      : [{ node: name, slot: shown.slot, fencingEpoch: shown.fencingEpoch }]
  })
  return found.sort((a, b) => b.fencingEpoch - a.fencingEpoch)[0]
}

/** The highest epoch of the archive that the node has given up, in fresh telemetry. */
function releasedOn(world: ControllerWorld, node: string, { id }: Placement): number | undefined {
  const epochs = freshReport(world, node)?.releases.flatMap((r) => (r.archive === id ? r.fencingEpoch : []))
  return epochs && epochs.length > 0 ? Math.max(...epochs) : undefined
}

/** Another archive of our records has that slot: a person has to see to it. */
function isRecorded({ allocator }: ControllerWorld, node: string, slot: number): boolean {
  return [...allocator.placementsOn(node), ...allocator.releasedSlots(node)].some((taken) => taken.slot === slot)
}
