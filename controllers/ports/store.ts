// Where objects live. Implemented by every room under stores/, checked by one conformance suite.
import type { Kind, ObjectKey } from '../../api/meta.ts'
import type { AnyObject, PpnObject, StatusOf } from '../../api/v1alpha1/index.ts'

/** A fault in the source that a person must mend. The objects it concerns stay at their last good state. */
export interface SourceProblem {
  /** A stable code of base/errors.ts. */
  code: string
  message: string
  hint: string
  file?: string
  line?: number
  column?: number
  /** The object concerned, when it could be told. */
  key?: ObjectKey
  severity: 'error' | 'warning'
}

/** How fresh and whole the view is. */
export interface StoreHealth {
  /** A complete snapshot has been read at least once. */
  synced: boolean
  /** Clock.monotonic() of the last complete read. */
  lastReadMs: number
  /** Why the source cannot be read just now; objects are held. */
  unreadable?: string
  /** `events`, or `polling` with the reason. */
  watching: 'events' | 'polling'
  watchingReason?: string
  problems: readonly SourceProblem[]
}

export type StoreEvent =
  | { type: 'synced' }
  /** Added, changed in spec, metadata or status, or marked for deletion. */
  | {
      type: 'upsert'
      key: ObjectKey
      object: AnyObject
      /** The source tells it, and not the answer to a write of ours: its status may be somebody else's work. */
      byOthers?: true
    }
  /** Gone for good: the last finalizer went. */
  | { type: 'removed'; key: ObjectKey; object: AnyObject }
  | { type: 'health'; health: StoreHealth }

/** A durable fact: an address, a slot, an epoch, a term. Written by test-and-set only. */
export interface StoredRecord {
  key: string
  value: unknown
  /** Rises with every write of this key; 0 stands for absent. */
  version: number
}

/** Durable facts by key; keys are paths such as `address/10.8.0.5`. Reads are from memory and current. */
export interface RecordStore {
  get(key: string): StoredRecord | undefined
  list(prefix: string): StoredRecord[]
  /**
   * Durable when it resolves. `expected` is the version seen (0: must be absent).
   * Throws PpnError `Conflict` when another write came between.
   */
  put(key: string, value: unknown, expected: number): Promise<StoredRecord>
  delete(key: string, expected: number): Promise<void>
}

export interface Store {
  readonly records: RecordStore
  /** Reads the source until `signal` aborts. Resolves after the first complete snapshot is in. */
  start(signal: AbortSignal): Promise<void>
  health(): StoreHealth
  get<K extends Kind>(kind: K, name: string, namespace?: string): PpnObject<K> | undefined
  getByKey(key: ObjectKey): AnyObject | undefined
  /** Every object of a kind, tombstones included, sorted by namespace and name. */
  list<K extends Kind>(kind: K): PpnObject<K>[]
  /** Called in the order of changes, never while a snapshot is half in. Returns the unsubscriber. */
  subscribe(listener: (event: StoreEvent) => void): () => void
  /**
   * Replaces the status. Does nothing (and emits nothing) when it is deeply equal to the stored one.
   * Silently ignored when the object is gone or has another uid.
   */
  updateStatus<K extends Kind>(object: PpnObject<K>, status: StatusOf[K]): Promise<void>
  addFinalizer(key: ObjectKey, uid: string, finalizer: string): Promise<void>
  /** Removing the last one from a tombstone makes the object go. */
  removeFinalizer(key: ObjectKey, uid: string, finalizer: string): Promise<void>
  /**
   * Says that the deletion of this tombstone has had its first irreversible effect: from here on the object
   * returning to the source no longer cancels the deletion, but makes a new object once the old one is gone.
   */
  commitDeletion(key: ObjectKey, uid: string): Promise<void>
  /** Objects made by an act of a person rather than by the source (Pairing in standalone). */
  create(kind: Kind, name: string, spec: unknown): Promise<AnyObject>
  /** Made by `create`, rather than declared in the source. */
  isAct(key: ObjectKey): boolean
  /** Replaces the spec of an object of `create`. Throws Immutable where it touches what never changes. */
  amend(key: ObjectKey, spec: unknown): Promise<AnyObject>
  /** Marks an object of `create` for deletion. */
  remove(key: ObjectKey): Promise<void>
}
