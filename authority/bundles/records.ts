// What the publisher keeps: `revision` (the highest given out, and the highest told by an APPLY) and, for each node,
// `rollout/<node>`. The revision is durable before anything carries it. A rollout record lost in a crash costs
// nothing but a fresh revision of the same content, which its node already has; only `attempt` and `minSequence`,
// which are part of the content, must be durable first.

import type { RecordStore } from '../../controllers/ports/store.ts'
import type { Revision } from '../../protocol/ids.ts'
import { contend } from '../allocation/contend.ts'
import type { Allotted } from './rollout.ts'

const REVISION = 'revision'
const ROLLOUT = 'rollout/'

interface Revisions {
  revision: Revision
  told: Revision
}

export interface RolloutRecords {
  revisions(): Revisions
  /** The next revision, durable. */
  next(): Promise<Revision>
  /** The highest given out is at least this: after a restore. */
  raise(revision: Revision): Promise<void>
  /** APPLY of this revision has gone out. */
  told(revision: Revision): Promise<void>
  rollout(node: string): Allotted | undefined
  rollouts(): { node: string; allotted: Allotted }[]
  save(node: string, allotted: Allotted): Promise<void>
}

export function rolloutRecords(records: RecordStore): RolloutRecords {
  const revisions = (): Revisions => (records.get(REVISION)?.value as Revisions | undefined) ?? { revision: 0, told: 0 }
  const update = (change: (before: Revisions) => Revisions): Promise<Revisions> =>
    contend(async () => {
      const after = change(revisions())
      await records.put(REVISION, after, records.get(REVISION)?.version ?? 0)
      return after
    })
  return {
    revisions,
    next: async () => (await update(({ revision, told }) => ({ revision: revision + 1, told }))).revision,
    async raise(revision) {
      if (revision > revisions().revision)
        await update((r) => ({ revision: Math.max(r.revision, revision), told: revision }))
    },
    async told(revision) {
      await update((before) => ({ ...before, told: Math.max(before.told, revision) }))
    },
    rollout(node) {
      const value = records.get(ROLLOUT + node)?.value as Allotted | undefined
      // Records are handed out frozen; a rollout under way is changed.
      return value && { ...value }
    },
    rollouts: () =>
      records.list(ROLLOUT).map((r) => ({ node: r.key.slice(ROLLOUT.length), allotted: { ...(r.value as Allotted) } })),
    async save(node, allotted) {
      const key = ROLLOUT + node
      await contend(() => records.put(key, allotted, records.get(key)?.version ?? 0))
    },
  }
}
