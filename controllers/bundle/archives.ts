// From placements to the archives of a bundle.
import type { BundleArchive, BundleContent } from '../../protocol/bundle/document.ts'
import { removalOf } from '../archive/removal.ts'
import { isPaused } from '../common/status.ts'
import { teardownBegun } from '../common/teardown.ts'
import type { ControllerWorld } from '../common/world.ts'
import { pushOrder } from '../move/entries.ts'
import { movingEntry } from '../move/expected.ts'
import { type Move, movesOn } from '../move/record.ts'
import { archiveEntry } from './entry.ts'
import { memberOf } from './members.ts'

/** `frozen/<archive uid>`: the entry of a paused archive as it was when the pause was first seen. */
export const frozenRecord = (uid: string): string => `frozen/${uid}`

export interface Entries {
  entries: BundleArchive[]
  /** Records to write: a paused archive's entry, or undefined for one that is paused no more. */
  freeze: { key: string; value: BundleArchive | undefined }[]
}

/**
 * Entries of what is placed on the node. Only what was admitted has a placement; one whose deletion is committed carries
 * `remove`; an orphan is left out without it; a paused one stays as last published, over a restart too.
 */
export function archiveEntries(world: ControllerWorld, node: string, published: readonly BundleArchive[]): Entries {
  const result: Entries = { entries: [], freeze: [] }
  const moving = movingEntries(world, node)
  for (const placement of world.allocator.placementsOn(node)) {
    const archive = world.index.archiveByUid(placement.archiveUid)
    if (!archive || moving.has(placement.archiveUid)) continue
    const key = frozenRecord(placement.archiveUid)
    const frozen = world.store.records.get(key)?.value as BundleArchive | undefined
    if (isPaused(archive)) {
      const entry = frozen ?? published.find((e) => e.id === placement.id) ?? archiveEntry(archive, placement)
      if (!frozen) result.freeze.push({ key, value: entry })
      result.entries.push(entry)
      continue
    }
    if (frozen) result.freeze.push({ key, value: undefined })
    const begun = teardownBegun(world.store.records, placement.archiveUid)
    const removal = removalOf(archive, begun, world.holds.isConfirmed(archive))
    if (removal === 'Orphan') continue
    result.entries.push(archiveEntry(archive, placement, removal))
  }
  for (const entry of moving.values()) if (entry !== 'none') result.entries.push(entry)
  return result
}

/**
 * By archive uid, what moves put into the node's bundle. A pause changes none of it: while it lasts the move stands
 * still, and an ordinary entry would have a disk made where one is to come.
 */
function movingEntries(world: ControllerWorld, node: string): Map<string, BundleArchive | 'none'> {
  const entries = new Map<string, BundleArchive | 'none'>()
  for (const move of movesOn(world.store.records, node)) {
    const { archiveUid } = move.from
    const archive = world.index.archiveByUid(archiveUid)
    const placement = world.allocator.placement(archiveUid)
    if (!archive || !placement) continue
    const entry = movingEntry(world, archive, placement, move, node)
    if (entry !== 'ordinary') entries.set(archiveUid, entry)
  }
  return entries
}

/** The push orders of the node's bundle, in the order of the archives' ids. */
export function pushOrders(world: ControllerWorld, node: string): BundleContent['pushes'] {
  const leaving = movesOn(world.store.records, node).filter((move) => move.from.node === node)
  const orderOf = (move: Move) => {
    const placement = world.allocator.placement(move.from.archiveUid)
    const receiver = member(world, move.to)
    return (placement && receiver && pushOrder(move, placement, receiver)) ?? []
  }
  return leaving.flatMap(orderOf).sort((a, b) => (a.archive < b.archive ? -1 : 1))
}

function member(world: ControllerWorld, name: string) {
  const node = world.store.get('Node', name)
  return node && memberOf(world, node)
}
