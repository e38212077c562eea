// What is known of the cluster's objects: told by lists, watches and the answers to our own writes, in any order.
// Whatever comes later by resource version counts; what comes twice or late changes nothing.
import type { Kind, ObjectKey } from '../../api/meta.ts'
import type { AnyObject } from '../../api/v1alpha1/index.ts'
import type { SourceProblem, StoreEvent } from '../../controllers/ports/store.ts'
import { problemOfIssue } from '../common/problem.ts'
import { objectTable } from '../common/table.ts'
import { asObject, type Projected, sameToReaders } from './projection.ts'

interface Known {
  kind: Kind
  uid: string
  revision: number
}

export interface KubeCache {
  get(key: ObjectKey): AnyObject | undefined
  list(kind: Kind): AnyObject[]
  problems(): SourceProblem[]
  /** Added or changed. */
  ingest(projected: Projected): StoreEvent[]
  /** Gone for good by an answer to our own write, ahead of what a watch tells. */
  finish(kind: Kind, key: ObjectKey, uid: string): StoreEvent[]
  /** Gone for good by the watch. */
  drop(key: ObjectKey, uid: string): StoreEvent[]
  /** Everything of a kind as of `revision`, in one step: readers never see a part of it. */
  swap(kind: Kind, all: readonly Projected[], revision: number): StoreEvent[]
}

export function kubeCache(): KubeCache {
  const table = objectTable([])
  const known = new Map<ObjectKey, Known>()
  const problems = new Map<ObjectKey, SourceProblem[]>()
  /** uids whose end we have seen in an answer to our own write: a watch may still tell of their last days. */
  const ended = new Map<string, Kind>()

  const ingest = (projected: Projected): StoreEvent[] => {
    const { kind, key, revision, metadata, issues } = projected
    if (ended.has(metadata.uid)) return []
    // The API server removes such an object in the very write that took its last finalizer.
    if (metadata.deletionTimestamp !== undefined && metadata.finalizers.length === 0)
      return finish(kind, key, metadata.uid)
    const before = known.get(key)
    if (before && before.revision >= revision) return []
    const events = before && before.uid !== metadata.uid ? drop(key, before.uid) : []
    known.set(key, { kind, uid: metadata.uid, revision })
    if (issues.length > 0) {
      problems.set(
        key,
        issues.map((issue) => problemOfIssue(issue, { key })),
      )
    } else problems.delete(key)
    const shown = table.rows.get(key)?.object
    const object = asObject(projected, shown)
    if (!object) return events
    table.set({ object, raw: undefined, origin: 'source', committed: false })
    return shown && sameToReaders(shown, object) ? events : [...events, { type: 'upsert', key, object }]
  }
  const finish = (kind: Kind, key: ObjectKey, uid: string): StoreEvent[] => {
    const events = drop(key, uid)
    ended.set(uid, kind)
    return events
  }
  const drop = (key: ObjectKey, uid: string): StoreEvent[] => {
    ended.delete(uid)
    if (known.get(key)?.uid !== uid) return []
    known.delete(key)
    problems.delete(key)
    const object = table.rows.get(key)?.object
    table.delete(key)
    return object ? [{ type: 'removed', key, object }] : []
  }
  return {
    get: (key) => table.rows.get(key)?.object,
    list: table.list,
    problems: () => [...problems.values()].flat(),
    ingest,
    finish,
    drop,
    swap(kind, all, revision) {
      const there = new Set(all.map(({ key }) => key))
      // What we wrote after the list was made is not in it.
      const missing = [...known].filter(([key, k]) => k.kind === kind && !there.has(key) && k.revision <= revision)
      const events = missing.flatMap(([key, { uid }]) => drop(key, uid))
      events.push(...all.flatMap(ingest))
      for (const [uid, of] of ended) if (of === kind) ended.delete(uid)
      return events
    },
  }
}
