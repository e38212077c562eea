// The part of a store that is the same whatever the source: objects, their lives, their listeners, their memory.

import { isDeepStrictEqual } from 'node:util'
import { immutableBreaches } from '../../api/immutable.ts'
import { API_VERSION, type Kind, keyOf, type ObjectKey } from '../../api/meta.ts'
import { DEFAULT_NAMESPACE } from '../../api/parse.ts'
import { type AnyObject, NAMESPACED, type PpnObject } from '../../api/v1alpha1/index.ts'
import type { Clock } from '../../base/clock.ts'
import { PpnError } from '../../base/errors.ts'
import type { Logger } from '../../base/log.ts'
import { type RandomBytes, randomId } from '../../base/random.ts'
import type { SourceProblem, Store, StoreEvent, StoreHealth } from '../../controllers/ports/store.ts'
import { draftOrThrow } from './documents.ts'
import { type Change, judge } from './lifecycle.ts'
import { eventListeners } from './listeners.ts'
import type { Persistence } from './persistence.ts'
import { type FlushableRecords, recordStore } from './records.ts'
import type { Definition, SourceSnapshot } from './snapshot.ts'
import {
  born,
  buried,
  isTombstone,
  redeclared,
  revived,
  type Stamp,
  type StoredObject,
  withFinalizers,
  withStatus,
} from './stored.ts'
import { objectTable } from './table.ts'
import { writeBehind } from './write-behind.ts'

export interface ObjectStoreOptions {
  persistence: Persistence
  clock: Clock
  random: RandomBytes
  log: Logger
  watching?: Pick<StoreHealth, 'watching' | 'watchingReason'>
}

/** Everything of `Store` but `start`, which belongs to the source; and what a source tells. */
export interface ObjectStore extends Omit<Store, 'start'> {
  /** The source was read in full. One durable transaction, then readers see all of it, then listeners hear of it. */
  accept(snapshot: SourceSnapshot): void
  /** The source cannot be read: everything stays. Objects of an earlier life count as synced. */
  hold(reason: string, problems?: readonly SourceProblem[]): void
  /** The source was read in full and says what it said before. */
  touch(): void
  setWatching(watching: StoreHealth['watching'], reason?: string): void
  /** Writes what waits and lets go of the memory. */
  close(): void
}

export function objectStore({ persistence, clock, random, log, watching }: ObjectStoreOptions): ObjectStore {
  const table = objectTable(persistence.objects.load())
  const records: FlushableRecords = recordStore(persistence.records)
  const listeners = eventListeners(log)
  let resourceVersion = persistence.objects.resourceVersion()
  const behind = writeBehind(persistence.objects, table.rows, () => resourceVersion, log)
  let waiting = new Map<ObjectKey, Definition>()
  let health: StoreHealth = { synced: false, lastReadMs: 0, watching: 'events', problems: [], ...watching }

  const stamp = (): Stamp => ({
    nowMs: clock.now(),
    resourceVersion: ++resourceVersion,
    newUid: () => randomId(random),
  })
  const upsert = (key: ObjectKey): StoreEvent => ({ type: 'upsert', key, object: table.rows.get(key)!.object })

  const setHealth = (next: StoreHealth): StoreEvent[] => {
    const { lastReadMs: _was, ...before } = health
    const { lastReadMs: _is, ...after } = next
    health = next
    return isDeepStrictEqual(before, after) ? [] : [{ type: 'health', health }]
  }
  /** At the first sync every object is announced once, whether it changed or not. */
  const announce = (): StoreEvent[] => [...[...table.rows.keys()].map(upsert), { type: 'synced' }]

  const rowAfter = (change: Change): StoredObject | undefined => {
    const row = table.rows.get(change.key)!
    switch (change.do) {
      case 'create':
        return born(change.definition.draft, 'source', change.definition.file, stamp())
      case 'update':
        return redeclared(row, change.definition.draft, change.definition.file, change.specChanged, stamp())
      case 'note':
        return { ...row, draft: change.definition.draft, file: change.definition.file }
      case 'revive':
        return revived(row, stamp())
      case 'bury':
        return row.object.metadata.finalizers.length > 0 ? buried(row, stamp()) : undefined
      case 'await':
        return row
    }
  }

  const accept = (snapshot: SourceSnapshot) => {
    const { changes, problems } = judge(table.rows, snapshot)
    const after = changes.map((change) => ({ change, row: rowAfter(change) }))
    const stay = after.filter(({ change }) => change.do !== 'await')
    const rows = stay.flatMap(({ row }) => row ?? [])
    const gone = stay.filter(({ row }) => !row).map(({ change }) => change.key)
    if (rows.length + gone.length > 0) behind.flush({ rows, gone })
    waiting = new Map(changes.flatMap((c) => (c.do === 'await' ? [[c.key, c.definition] as const] : [])))

    const removed: StoreEvent[] = gone.map((key) => ({ type: 'removed', key, object: table.rows.get(key)!.object }))
    for (const key of gone) table.delete(key)
    for (const row of rows) table.set(row)
    const seen = stay.filter(({ change, row }) => row && change.do !== 'note').map(({ change }) => change.key)
    const first = !health.synced
    const next: StoreHealth = {
      ...health,
      synced: true,
      lastReadMs: clock.monotonic(),
      problems: [...snapshot.problems, ...problems],
    }
    delete next.unreadable
    const healthEvents = setHealth(next)
    listeners.emit([...removed, ...(first ? announce() : seen.map(upsert)), ...healthEvents])
  }

  /** Puts a changed row in place and tells; how durable is the caller's affair. */
  const replace = (key: ObjectKey, row: StoredObject) => {
    table.set(row)
    listeners.emit([upsert(key)])
  }
  /** The last finalizer went: the object goes, and its successor, if one is declared, comes. */
  const retire = (key: ObjectKey, last: StoredObject): Promise<void> => {
    table.delete(key)
    const successor = waiting.get(key)
    waiting.delete(key)
    if (successor) table.set(born(successor.draft, 'source', successor.file, stamp()))
    const settled = behind.settle(key)
    listeners.emit([{ type: 'removed', key, object: last.object }, ...(successor ? [upsert(key)] : [])])
    return settled
  }
  const rowOf = (key: ObjectKey, uid: string) => {
    const row = table.rows.get(key)
    return row?.object.metadata.uid === uid ? row : undefined
  }

  return {
    records,
    accept,
    hold(reason, problems = []) {
      const first = !health.synced && table.rows.size > 0
      const events = setHealth({ ...health, synced: health.synced || first, unreadable: reason, problems })
      listeners.emit([...(first ? announce() : []), ...events])
    },
    touch() {
      health = { ...health, lastReadMs: clock.monotonic() }
    },
    setWatching(how, reason) {
      const next: StoreHealth = { ...health, watching: how }
      if (reason === undefined) delete next.watchingReason
      else next.watchingReason = reason
      listeners.emit(setHealth(next))
    },
    close() {
      records.flush()
      behind.flush()
      persistence.close()
    },
    health: () => health,
    get: <K extends Kind>(kind: K, name: string, namespace?: string) =>
      table.rows.get(keyOf(kind, name, namespace))?.object as PpnObject<K> | undefined,
    getByKey: (key) => table.rows.get(key)?.object,
    list: <K extends Kind>(kind: K) => table.list(kind) as unknown as PpnObject<K>[],
    subscribe: listeners.add,

    async updateStatus(object, status) {
      const key = keyOf(object.kind, object.metadata.name, object.metadata.namespace)
      const row = rowOf(key, object.metadata.uid)
      if (!row || isDeepStrictEqual(row.object.status, status)) return
      replace(key, withStatus(row, structuredClone(status), stamp()))
      behind.touch(key)
    },
    async addFinalizer(key, uid, finalizer) {
      const row = rowOf(key, uid)
      const finalizers = row?.object.metadata.finalizers ?? []
      if (!row || isTombstone(row) || finalizers.includes(finalizer)) return
      replace(key, withFinalizers(row, [...finalizers, finalizer], stamp()))
      await behind.settle(key)
    },
    async removeFinalizer(key, uid, finalizer) {
      const row = rowOf(key, uid)
      if (!row?.object.metadata.finalizers.includes(finalizer)) return
      const rest = row.object.metadata.finalizers.filter((f) => f !== finalizer)
      const next = withFinalizers(row, rest, stamp())
      if (rest.length === 0 && isTombstone(row)) return retire(key, next)
      replace(key, next)
      await behind.settle(key)
    },
    async commitDeletion(key, uid) {
      const row = rowOf(key, uid)
      if (!row || !isTombstone(row) || row.committed) return
      table.set({ ...row, committed: true })
      await behind.settle(key)
    },
    async create(kind, name, spec) {
      const namespace = NAMESPACED[kind] ? DEFAULT_NAMESPACE : undefined
      const key = keyOf(kind, name, namespace)
      const draft = draftOrThrow({ apiVersion: API_VERSION, kind, metadata: { name }, spec })
      if (table.rows.has(key)) throw new PpnError('AlreadyExists', { key })
      const row = born(draft, 'act', undefined, stamp())
      behind.flush({ rows: [row], gone: [] })
      replace(key, row)
      return row.object as AnyObject
    },
    isAct: (key) => table.rows.get(key)?.origin === 'act',
    async amend(key, spec) {
      const row = table.rows.get(key)
      if (!row || isTombstone(row)) throw new PpnError('ObjectNotFound', { key })
      if (row.origin !== 'act') throw new PpnError('DeclaredInFolder', { key, file: row.file ?? 'the source' })
      const { kind, metadata } = row.object
      const { name, labels, annotations } = metadata
      const draft = draftOrThrow({ apiVersion: API_VERSION, kind, metadata: { name, labels, annotations }, spec })
      const [field] = immutableBreaches(kind, row.object.spec, draft.spec)
      if (field !== undefined) throw new PpnError('ImmutableField', { key, field })
      const changed = !isDeepStrictEqual(row.object.spec, draft.spec)
      const next = redeclared(row, draft, undefined, changed, stamp())
      behind.flush({ rows: [next], gone: [] })
      replace(key, next)
      return next.object
    },
    async remove(key) {
      const row = table.rows.get(key)
      if (!row) return
      if (row.origin !== 'act') throw new PpnError('DeclaredInFolder', { key, file: row.file ?? 'the source' })
      if (isTombstone(row)) return
      if (row.object.metadata.finalizers.length === 0) return retire(key, row)
      replace(key, buried(row, stamp()))
      await behind.settle(key)
    },
  }
}
