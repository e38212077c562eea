// The entry that an archive's node is to have of it while it moves.
import type { PpnObject } from '../../api/v1alpha1/index.ts'
import type { BundleArchive } from '../../protocol/bundle/document.ts'
import { memberOf } from '../bundle/members.ts'
import type { ControllerWorld } from '../common/world.ts'
import type { Placement } from '../ports/allocator.ts'
import { moveEntry } from './entries.ts'
import { type Move, moveOf } from './record.ts'

/** Its entry on this node, as the move wants it. See moveEntry. */
export function movingEntry(
  world: ControllerWorld,
  archive: PpnObject<'Archive'>,
  placement: Placement,
  move: Move,
  node: string,
): BundleArchive | 'none' | 'ordinary' {
  const source = world.store.get('Node', move.from.node)
  return moveEntry(archive, placement, move, node, source && memberOf(world, source)?.address)
}

/** undefined: the ordinary one. none: it is not to be listed on the node it is placed on, yet. */
export function expectedEntry(
  world: ControllerWorld,
  archive: PpnObject<'Archive'>,
  placement: Placement,
): BundleArchive | 'none' | undefined {
  const move = moveOf(world.store.records, placement.archiveUid)
  const entry = move ? movingEntry(world, archive, placement, move, placement.node) : 'ordinary'
  return entry === 'ordinary' ? undefined : entry
}
