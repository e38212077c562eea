// The reconcile of Archives, under key `Archive/<namespace>/<name>`.
//
// What is declared reaches the node by two ways, and this controller owns the second: bundles say that the archive may
// exist (the Node's controller makes them from placements), commands say what it should be doing. It guarantees:
// - nothing is commanded before the node's applied bundle lists the archive;
// - a converged archive wants no command and writes no status (law 6);
// - nothing is forgotten before telemetry shows it gone, unless a person says Orphan (law 3).

import { reconcileWith } from '../common/converge.ts'
import { objectKey } from '../common/perform.ts'
import type { ControllerWorld } from '../common/world.ts'
import type { ControllerSpec } from '../ports/reconciler.ts'
import { type Memory, observeArchive, remembersNothing } from './observe.ts'
import { planArchive } from './plan.ts'

/** Those that wait for a durable write at the same time share it. */
const CONCURRENCY = 16

/** As an authority that has just started would plan. */
const archivePlanner = { kind: 'Archive', observe: observeArchive, plan: planArchive } as const

export function archiveController(world: ControllerWorld): ControllerSpec {
  const memories = new Map<string, Memory>()
  const memoryOf = (key: string, uid: string): Memory => {
    const known = memories.get(key)
    // The same name under another uid is another archive.
    const memory = known?.uid === uid ? known : remembersNothing(uid)
    memories.set(key, memory)
    return memory
  }
  const planner: typeof archivePlanner = {
    ...archivePlanner,
    observe: (_, archive, answers) =>
      observeArchive(world, archive, answers, memoryOf(objectKey(archive), archive.metadata.uid)),
  }
  return {
    name: 'archive',
    reconcile: reconcileWith(world, planner, (key) => memories.delete(key)),
    generation: (key) => world.store.getByKey(key)?.metadata.generation ?? 0,
    ready: () => world.store.health().synced,
    concurrency: CONCURRENCY,
  }
}
