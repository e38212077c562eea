// From placements to the archives of a bundle.
import type { PpnObject } from '../../api/v1alpha1/index.ts'
import type { BundleArchive } from '../../protocol/bundle/document.ts'
import type { Digest, MiB } from '../../protocol/ids.ts'
import { removalOf } from '../archive/removal.ts'
import { isPaused } from '../common/status.ts'
import { teardownBegun } from '../common/teardown.ts'
import type { ControllerWorld } from '../common/world.ts'
import type { Placement } from '../ports/allocator.ts'

export type Remove = 'Retain' | 'Delete'

export function archiveEntry(archive: PpnObject<'Archive'>, placement: Placement, remove?: Remove): BundleArchive {
  const { spec, metadata } = archive
  const { source, sha256, format, architecture } = spec.image
  return {
    id: placement.id,
    name: metadata.name,
    namespace: metadata.namespace as string,
    slot: placement.slot,
    fencingEpoch: placement.fencingEpoch,
    minSequence: { ...placement.minSequence },
    image: { source, sha256: sha256 as Digest, format, architecture },
    floorMiB: placement.floorMiB as MiB,
    maxMiB: placement.maxMiB as MiB,
    vcpus: spec.cpu.vcpus,
    restartPolicy: spec.restartPolicy,
    ...(spec.adoptDisk !== undefined && { adoptDisk: spec.adoptDisk }),
    ...(remove !== undefined && { remove }),
  }
}

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
  for (const placement of world.allocator.placementsOn(node)) {
    const archive = world.index.archiveByUid(placement.archiveUid)
    if (!archive) continue
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
  return result
}
