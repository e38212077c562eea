// The durable fact that an archive is on its way from one node to another: `move/<archive uid>`. Everything a move has
// promised is here and in the placement, so that an authority killed at any moment goes on where it was.
import type { Digest } from '../../protocol/ids.ts'
import type { Placement } from '../ports/allocator.ts'
import type { RecordStore } from '../ports/store.ts'

/**
 * stopping: POWER 0 on the old node; its placement and bundle are as ever.
 * releasing: the old node's bundle says `remove: Retain`, so it fences the epoch and signs its release.
 * copying: the archive is placed on the new node under a higher epoch; the old node pushes, and nothing is started.
 * landed: the new node has the whole disk. From here on it may have been started there, so there is no way back.
 * returning: called off before it landed; the old node takes its own disk back under an epoch above both.
 * cleaning: the archive is where it belongs; the copy it left behind is being deleted.
 */
type MovePhase = 'stopping' | 'releasing' | 'copying' | 'landed' | 'returning' | 'cleaning'

export interface Move {
  phase: MovePhase
  /** Its place on the old node, as it was when the move began. */
  from: Placement
  /** Node name. */
  to: string
  /** Of the old node's disk; known from `copying` on. */
  root?: Digest
  /** Where a push that was cut goes on. */
  fromChunk?: number
  /** A place it has left, where a copy is still to be deleted: `cleaning`, and `returning` once it had a place there. */
  leftover?: Placement
}

const PREFIX = 'move/'

export const moveRecord = (uid: string): string => PREFIX + uid

export function moveOf(records: RecordStore, uid: string): Move | undefined {
  return records.get(moveRecord(uid))?.value as Move | undefined
}

/** Does it concern this node, as the one it leaves, goes to, or left a copy on? */
export function touches({ from, to, leftover }: Move, node: string): boolean {
  return from.node === node || to === node || leftover?.node === node
}

/** Every move that concerns the node. */
export function movesOn(records: RecordStore, node: string): Move[] {
  return records
    .list(PREFIX)
    .map((record) => record.value as Move)
    .filter((move) => touches(move, node))
}
