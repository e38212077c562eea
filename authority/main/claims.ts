// After a restore: what a node reports above our own state becomes our state, before the node counts as heard.
import type { Files } from '../../base/files.ts'
import type { RecordStore } from '../../controllers/ports/store.ts'
import type { DurableAllocator } from '../allocation/allocator.ts'
import { clearRestoredMark, restoredMark } from '../backup/snapshot.ts'
import type { Publisher } from '../bundles/publisher.ts'
import type { NodeRegistry } from '../registry/registry.ts'
import { recordedTerm } from '../term/raise.ts'
import { beginRestore, type Claims, takeHigher, withinReach } from '../term/restore.ts'

export interface ClaimTakers {
  allocator: Pick<DurableAllocator, 'observeEpoch' | 'inherit'>
  publisher: Pick<Publisher, 'raiseRevision' | 'revision'>
  registry: Pick<NodeRegistry, 'observeHead' | 'adoptObserved' | 'head'>
}

/** Durable when it resolves. Nothing is lowered; a claim out of reach of the restored counters is not taken. */
export async function takeClaims(
  { allocator, publisher, registry }: ClaimTakers,
  node: string,
  claims: Claims,
  base: { revision: number },
): Promise<void> {
  await publisher.raiseRevision(takeHigher(publisher.revision(), base.revision, claims.revision))
  // Epochs begin at 0 for every archive, so the reach is counted from there.
  for (const { archive, fencingEpoch } of claims.epochs)
    if (withinReach(0, fencingEpoch)) await allocator.observeEpoch(archive, fencingEpoch, node)
  if (claims.archives) await allocator.inherit(node, claims.archives)
  if (claims.registryHead && withinReach(registry.head().count, claims.registryHead.count)) {
    registry.observeHead(node, claims.registryHead)
    await registry.adoptObserved()
  }
}

/**
 * A state folder that came out of a backup: from here on the records say so, and the mark that the restore left goes.
 * Throws RestoreIncomplete when the restore was cut short.
 */
export async function resumeRestore(
  files: Files,
  records: RecordStore,
  registry: Pick<NodeRegistry, 'list'>,
  revision: number,
): Promise<void> {
  if (!(await restoredMark(files))) return
  const nodes = registry.list().map(({ node }) => node)
  await beginRestore(records, { term: recordedTerm(records), revision }, nodes)
  await clearRestoredMark(files)
}
