// The Store port in a page: objects that a test puts and takes, records in a map. No rules of its own.
import { isDeepStrictEqual } from 'node:util'
import { FINALIZER, type Kind, keyOf, type ObjectKey, type ObjectMeta, parseKey } from '../../api/meta.ts'
import { type AnyObject, NAMESPACED, type PpnObject, SPEC_SCHEMA } from '../../api/v1alpha1/index.ts'
import type { Clock } from '../../base/clock.ts'
import { PpnError } from '../../base/errors.ts'
import type { RecordStore, Store, StoredRecord, StoreEvent, StoreHealth } from '../ports/store.ts'

export interface FakeStore extends Store {
  /** Declares an object, or changes its declared spec and annotations (which raises the generation). */
  put<K extends Kind>(kind: K, name: string, spec: unknown, meta?: Partial<ObjectMeta>): PpnObject<K>
  /** Its declaration is gone: a tombstone if it has finalizers, else gone for good. */
  bury(key: ObjectKey): void
  /** Its declaration came back before the deletion was committed. */
  revive(key: ObjectKey): void
  isCommitted(uid: string): boolean
  setHealth(health: Partial<StoreHealth>): void
  /** Somebody takes its status away, as far as the source tells. */
  wipeStatus(key: ObjectKey): void
}

function fakeRecords(held: Map<string, StoredRecord> = new Map()): RecordStore {
  const check = (key: string, expected: number) => {
    if ((held.get(key)?.version ?? 0) !== expected) throw new PpnError('Conflict', { key })
  }
  return {
    get: (key) => held.get(key),
    list: (prefix) =>
      [...held.values()].filter((r) => r.key.startsWith(prefix)).sort((a, b) => (a.key < b.key ? -1 : 1)),
    async put(key, value, expected) {
      check(key, expected)
      const record = { key, value: structuredClone(value), version: expected + 1 }
      held.set(key, record)
      return record
    },
    async delete(key, expected) {
      check(key, expected)
      held.delete(key)
    },
  }
}

/** `state` handed on to another fake models a restart: objects and records stay. */
export interface FakeState {
  objects: Map<ObjectKey, AnyObject>
  records: Map<string, StoredRecord>
  committed: Set<string>
}

export function fakeState(): FakeState {
  return { objects: new Map(), records: new Map(), committed: new Set() }
}

export function fakeStore(clock: Clock, state: FakeState = fakeState()): FakeStore {
  const { objects, committed } = state
  const records = fakeRecords(state.records)
  const listeners = new Set<(event: StoreEvent) => void>()
  let versions = 0
  let health: StoreHealth = { synced: true, lastReadMs: clock.monotonic(), watching: 'events', problems: [] }

  const emit = (event: StoreEvent) => {
    for (const listener of [...listeners]) listener(event)
  }
  const set = (key: ObjectKey, object: AnyObject, byOthers = false) => {
    const metadata = { ...object.metadata, resourceVersion: String(++versions) }
    objects.set(key, { ...object, metadata } as AnyObject)
    emit({ type: 'upsert', key, object: objects.get(key) as AnyObject, ...(byOthers && { byOthers }) })
  }
  const remove = (key: ObjectKey) => {
    const object = objects.get(key) as AnyObject
    objects.delete(key)
    emit({ type: 'removed', key, object })
  }
  const withMeta = (key: ObjectKey, change: Partial<ObjectMeta>) => {
    const object = objects.get(key)
    if (object) set(key, { ...object, metadata: { ...object.metadata, ...change } } as AnyObject)
  }
  const holds = (key: ObjectKey, uid: string) => objects.get(key)?.metadata.uid === uid

  return {
    records,
    start: async () => {},
    health: () => health,
    get: <K extends Kind>(kind: K, name: string, namespace?: string) =>
      objects.get(keyOf(kind, name, namespace)) as PpnObject<K> | undefined,
    getByKey: (key) => objects.get(key),
    list: <K extends Kind>(kind: K) =>
      [...objects.entries()]
        .filter(([, object]) => object.kind === kind)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([, object]) => object) as unknown as PpnObject<K>[],
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async updateStatus(object, status) {
      const { name, namespace, uid } = object.metadata
      const key = keyOf(object.kind, name, namespace)
      const stored = objects.get(key)
      if (!stored || stored.metadata.uid !== uid || isDeepStrictEqual(stored.status, status)) return
      set(key, { ...stored, status: structuredClone(status) } as AnyObject)
    },
    async addFinalizer(key, uid, finalizer) {
      const finalizers = objects.get(key)?.metadata.finalizers ?? []
      if (holds(key, uid) && !finalizers.includes(finalizer)) withMeta(key, { finalizers: [...finalizers, finalizer] })
    },
    async removeFinalizer(key, uid, finalizer) {
      if (!holds(key, uid)) return
      const { finalizers, deletionTimestamp } = (objects.get(key) as AnyObject).metadata
      const rest = finalizers.filter((f) => f !== finalizer)
      if (rest.length === 0 && deletionTimestamp !== undefined) remove(key)
      else withMeta(key, { finalizers: rest })
    },
    async commitDeletion(key, uid) {
      if (holds(key, uid)) committed.add(uid)
    },
    async create(kind, name, spec) {
      return this.put(kind, name, spec) as unknown as AnyObject
    },
    isAct: () => true,
    async amend(key, spec) {
      const { kind, name } = parseKey(key)
      return this.put(kind, name, spec) as unknown as AnyObject
    },
    async remove(key) {
      this.bury(key)
    },
    put<K extends Kind>(kind: K, name: string, spec: unknown, meta: Partial<ObjectMeta> = {}) {
      const namespace = NAMESPACED[kind] ? (meta.namespace ?? 'default') : undefined
      const key = keyOf(kind, name, namespace)
      const before = objects.get(key)
      const parsed = SPEC_SCHEMA[kind].parse(spec)
      const changed = before !== undefined && !isDeepStrictEqual(before.spec, parsed)
      const metadata: ObjectMeta = {
        name,
        ...(namespace !== undefined && { namespace }),
        uid: `uid-${name}`,
        generation: 1,
        resourceVersion: '0',
        creationTimestamp: new Date(clock.now()).toISOString(),
        finalizers: [],
        labels: {},
        annotations: {},
        ...before?.metadata,
        ...(before && changed && { generation: before.metadata.generation + 1 }),
        ...meta,
      }
      set(key, { kind, metadata, spec: parsed, ...(before?.status && { status: before.status }) } as AnyObject)
      return objects.get(key) as unknown as PpnObject<K>
    },
    bury(key) {
      const object = objects.get(key) as AnyObject
      if (object.metadata.finalizers.includes(FINALIZER))
        withMeta(key, { deletionTimestamp: new Date(clock.now()).toISOString() })
      else remove(key)
    },
    revive(key) {
      withMeta(key, { deletionTimestamp: undefined })
    },
    isCommitted: (uid) => committed.has(uid),
    wipeStatus(key) {
      const { status: _, ...object } = objects.get(key) as AnyObject
      set(key, object as AnyObject, true)
    },
    setHealth(next) {
      health = { ...health, ...next }
      emit({ type: 'health', health })
    },
  }
}
