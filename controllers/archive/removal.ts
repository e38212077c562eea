// How an archive that is being deleted shows in its node's bundle (section 7.2, "Archives end only by saying so").
//
// The archive's reconcile checks the hold of law 3 and then commits the deletion durably (controllers/common/teardown.ts).
// Nothing irreversible is published before that, and an object whose file returns before it simply lives on.
import { ANNOTATION } from '../../api/meta.ts'
import type { PpnObject } from '../../api/v1alpha1/index.ts'
import { isOrphan } from '../common/status.ts'

/**
 * Retain, Delete: the bundle entry stays and carries `remove`. Orphan: the entry leaves the bundle without `remove`,
 * the machine is not touched. undefined: an ordinary entry, also for a tombstone that is not committed yet.
 */
export type Removal = 'Retain' | 'Delete' | 'Orphan'

/**
 * `begun`: `teardownBegun(records, uid)`. `confirmed`: a person confirmed this deletion (`Holds.isConfirmed`). Law 3:
 * the disk goes only when the spec and a confirmation both say so.
 */
export function removalOf(
  archive: PpnObject<'Archive'>,
  begun: boolean,
  confirmed = confirmedByAnnotation(archive),
): Removal | undefined {
  if (archive.metadata.deletionTimestamp === undefined) return undefined
  if (isOrphan(archive)) return 'Orphan'
  if (!begun) return undefined
  return archive.spec.deletionPolicy === 'Delete' && confirmed ? 'Delete' : 'Retain'
}

function confirmedByAnnotation(archive: PpnObject<'Archive'>): boolean {
  return archive.metadata.annotations[ANNOTATION.confirmDelete] === archive.metadata.name
}
