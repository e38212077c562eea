// How an archive that is being deleted shows in its node's bundle (section 7.2, "Archives end only by saying so").
//
// The archive's reconcile checks the hold of law 3, commits the deletion durably, and only then writes the condition
// Deleting=True. The bundle reads that condition: nothing irreversible can be published before the commit, and an
// object whose file returns before it simply lives on.
import { ANNOTATION } from '../../api/meta.ts'
import type { PpnObject } from '../../api/v1alpha1/index.ts'

/** The condition that says a deletion is committed. While it is held, the same condition is False with the reason. */
export const DELETING = 'Deleting'

/**
 * Retain, Delete: the bundle entry stays and carries `remove`. Orphan: the entry leaves the bundle without `remove`,
 * the machine is not touched. undefined: an ordinary entry, also for a tombstone that is not committed yet.
 */
export type Removal = 'Retain' | 'Delete' | 'Orphan'

export function removalOf(archive: PpnObject<'Archive'>): Removal | undefined {
  if (archive.metadata.deletionTimestamp === undefined) return undefined
  if (isOrphaned(archive)) return 'Orphan'
  const committed = archive.status?.conditions.some((c) => c.type === DELETING && c.status === 'True')
  return committed ? diskPolicy(archive) : undefined
}

export function isOrphaned(archive: PpnObject<'Archive'>): boolean {
  return archive.metadata.annotations[ANNOTATION.deletion] === 'Orphan'
}

/** Law 3: the disk goes only when the spec and a confirmation both say so. */
export function diskPolicy(archive: PpnObject<'Archive'>): 'Retain' | 'Delete' {
  const confirmed = archive.metadata.annotations[ANNOTATION.confirmDelete] === archive.metadata.name
  return archive.spec.deletionPolicy === 'Delete' && confirmed ? 'Delete' : 'Retain'
}
