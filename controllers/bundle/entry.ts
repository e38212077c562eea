// From a placement to an archive's entry in its node's bundle. Pure.
import type { PpnObject } from '../../api/v1alpha1/index.ts'
import type { BundleArchive } from '../../protocol/bundle/document.ts'
import type { Digest, MiB } from '../../protocol/ids.ts'
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
