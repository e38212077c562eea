// Objects in a cluster: declared with kubectl or GitOps, read through watches, written back as status, finalizers and
// records. docs/kubernetes.md says what differs from a folder.

import { isDeepStrictEqual } from 'node:util'
import { immutableBreaches } from '../../api/immutable.ts'
import { API_VERSION, KINDS, type Kind, keyOf, type ObjectKey } from '../../api/meta.ts'
import { DEFAULT_NAMESPACE, parseSpec } from '../../api/parse.ts'
import { type AnyObject, NAMESPACED, type PpnObject } from '../../api/v1alpha1/index.ts'
import type { Clock } from '../../base/clock.ts'
import { PpnError } from '../../base/errors.ts'
import type { Logger } from '../../base/log.ts'
import type { Store, StoreEvent, StoreHealth } from '../../controllers/ports/store.ts'
import { draftOrThrow } from '../common/documents.ts'
import { eventListeners } from '../common/listeners.ts'
import type { KubeApi } from './api.ts'
import { kubeCache } from './cache.ts'
import { type Followed, follow } from './follow.ts'
import { kubeHealth } from './health.ts'
import { type Projected, project } from './projection.ts'
import { revisionOf } from './raw.ts'
import { type RawRecord, rawRecord } from './raw-record.ts'
import { type KubeRecords, kubeRecords } from './records.ts'
import type { ReflectorTarget } from './reflector.ts'
import { collectionPath, recordsPath } from './resources.ts'
import { kubeWrites } from './writes.ts'

export interface KubeStoreOptions {
  api: KubeApi
  /** Of the record objects. */
  namespace: string
  clock: Clock
  random01(): number
  log: Logger
}

export interface KubeStore extends Store {
  readonly records: KubeRecords
  /** Clock.monotonic() of the last word from the server of the kind that has been silent longest. */
  lastEventMs(): number
  /** The same of each kind. */
  heard(): ReadonlyMap<string, number>
  /**
   * Resolves when everything that is followed was read anew, as the server holds it after this call. For whoever begins
   * to lead: a watch may be behind what the leader before wrote. Rejects when the store is closed first.
   */
  catchUp(): Promise<void>
  /** Writes under way. */
  writing(): number
  close(): Promise<void>
}

/** What `create` leaves on an object, so that another replica knows it for an act. */
export const ACT_LABEL = 'ppn.dev/act'
const isActObject = ({ kind, metadata }: AnyObject) => kind === 'Pairing' || metadata.labels[ACT_LABEL] !== undefined

/** Resolves with the records read in full. Rejects when the signal aborts first; until then it tries again. */
export async function openKubeStore(options: KubeStoreOptions, signal: AbortSignal): Promise<KubeStore> {
  const { namespace, clock, log } = options
  let writing = 0
  const api: KubeApi = {
    watch: options.api.watch,
    async request(request) {
      if (request.method === 'GET') return options.api.request(request)
      writing++
      try {
        return await options.api.request(request)
      } finally {
        writing--
      }
    },
  }
  const records = kubeRecords(api, namespace)
  const writes = kubeWrites(api)
  const cache = kubeCache()
  const listeners = eventListeners(log)
  const health = kubeHealth(clock, [...KINDS, 'Record'])
  const life = new AbortController()
  const followed: Followed[] = []
  let started: Promise<void> | undefined

  const keep = (name: string, path: string, reduce: (item: unknown) => unknown, target: Target, until: AbortSignal) =>
    followed.push(
      follow(
        {
          ...{ api, path, clock, random01: options.random01, reduce },
          target: {
            ...target,
            fresh: () => health.fresh(name),
            trouble(why) {
              if (why !== undefined) log.debug({ what: name, why }, 'the API server cannot be asked')
              tell(health.trouble(name, why, cache.problems()))
            },
          },
        },
        until,
      ),
    )
  type Target = Pick<ReflectorTarget, 'replace' | 'event'>
  const tell = (next: StoreHealth | undefined) => {
    if (next) listeners.emit([{ type: 'health', health: next }])
  }
  /** Nobody hears of objects before all kinds have been read. */
  const changed = (events: StoreEvent[]) => {
    if (!health.now().synced) return
    listeners.emit(events)
    tell(health.problems(cache.problems()))
  }

  const recordsRead = Promise.withResolvers<void>()
  keep(
    'Record',
    recordsPath(namespace),
    rawRecord,
    {
      replace(items, resourceVersion) {
        records.replace(items as RawRecord[], resourceVersion)
        recordsRead.resolve()
      },
      event({ type, object }) {
        if (type === 'DELETED') records.observeGone(rawRecord(object))
        else records.observe(rawRecord(object))
      },
    },
    life.signal,
  )
  const close = async () => {
    life.abort(new Error('the store is closed'))
    await Promise.all(followed.map(({ ended }) => ended))
  }
  const aborted = () => recordsRead.reject(signal.reason)
  if (signal.aborted) aborted()
  signal.addEventListener('abort', aborted, { once: true })
  try {
    await recordsRead.promise
  } catch (error) {
    await close()
    throw error
  } finally {
    signal.removeEventListener('abort', aborted)
  }

  /** The answer to our own write is news like any other, and sooner. */
  const absorb = (kind: Kind, answer: unknown): AnyObject | undefined => {
    if (answer === undefined) return undefined
    const projected = project(kind, answer, cache.get)
    changed(cache.ingest(projected))
    return cache.get(projected.key)
  }
  const objectOf = (key: ObjectKey, uid: string) => {
    const object = cache.get(key)
    return object?.metadata.uid === uid ? object : undefined
  }
  const changeFinalizers = async (
    key: ObjectKey,
    uid: string,
    change: (finalizers: readonly string[], deleting: boolean) => readonly string[] | undefined,
  ) => {
    const object = objectOf(key, uid)
    if (object) absorb(object.kind, await writes.finalizers(key, uid, object.metadata, change))
  }

  const tellAll = () => {
    const upserts = KINDS.flatMap((kind) => cache.list(kind)).map(
      (object): StoreEvent => ({ type: 'upsert', key: keyOfObject(object), object }),
    )
    listeners.emit([...upserts, { type: 'synced' }])
  }
  /** Resolves when every kind has been read in full. */
  const begin = async (until: AbortSignal) => {
    const waiting = new Set<Kind>(KINDS)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const both = AbortSignal.any([until, life.signal])
    both.addEventListener('abort', () => reject(both.reason), { once: true })
    promise.catch(() => {})
    const read = (kind: Kind) => {
      if (!waiting.delete(kind) || waiting.size > 0) return
      const next = health.synced(cache.problems())
      tellAll()
      tell(next)
      resolve()
    }
    for (const kind of KINDS) {
      const target: Target = {
        replace(items, resourceVersion) {
          changed(byOthers(cache.swap(kind, items as Projected[], revisionOf(resourceVersion))))
          read(kind)
        },
        event({ type, object }) {
          const projected = project(kind, object, cache.get)
          if (type === 'DELETED') changed(cache.drop(projected.key, projected.metadata.uid))
          else changed(byOthers(cache.ingest(projected)))
        },
      }
      keep(kind, collectionPath(kind), (item) => project(kind, item), target, both)
    }
    await promise
  }

  return {
    records,
    lastEventMs: health.lastEventMs,
    heard: health.heard,
    catchUp: async () => void (await Promise.all(followed.map((each) => each.again()))),
    writing: () => writing,
    close,
    async start(until) {
      until.throwIfAborted()
      if (started) {
        await started
        return tellAll()
      }
      started = begin(until)
      started.catch(() => {})
      await started
    },
    health: health.now,
    get: <K extends Kind>(kind: K, name: string, ns?: string) =>
      cache.get(keyOf(kind, name, ns)) as PpnObject<K> | undefined,
    getByKey: cache.get,
    list: <K extends Kind>(kind: K) => cache.list(kind) as unknown as PpnObject<K>[],
    subscribe: listeners.add,

    async updateStatus({ kind, metadata }, status) {
      const { name, namespace: ns, uid } = metadata
      const object = objectOf(keyOf(kind, name, ns), uid)
      if (!object || isDeepStrictEqual(object.status, status)) return
      const { resourceVersion } = object.metadata
      absorb(kind, await writes.status(kind, { name, namespace: ns, uid, resourceVersion }, status))
    },
    addFinalizer: (key, uid, finalizer) =>
      changeFinalizers(key, uid, (finalizers, deleting) =>
        deleting || finalizers.includes(finalizer) || cache.get(key)?.metadata.deletionTimestamp !== undefined
          ? undefined
          : [...finalizers, finalizer],
      ),
    removeFinalizer: (key, uid, finalizer) =>
      changeFinalizers(key, uid, (finalizers) =>
        finalizers.includes(finalizer) ? finalizers.filter((f) => f !== finalizer) : undefined,
      ),
    // The API server takes no deletion back, so every one is past return from the first.
    commitDeletion: async () => {},
    async create(kind, name, spec) {
      const ns = NAMESPACED[kind] ? DEFAULT_NAMESPACE : undefined
      const metadata = { name, ...(ns !== undefined && { namespace: ns }), labels: { [ACT_LABEL]: '' } }
      const object = { apiVersion: API_VERSION, kind, metadata, spec }
      draftOrThrow(object)
      const made = absorb(kind, await writes.create(kind, name, ns, object))
      if (!made) throw new PpnError('ObjectNotFound', { key: keyOf(kind, name, ns) })
      return made
    },
    isAct(key) {
      const object = cache.get(key)
      return object !== undefined && isActObject(object)
    },
    async amend(key, spec) {
      const object = cache.get(key)
      if (!object || object.metadata.deletionTimestamp !== undefined) throw new PpnError('ObjectNotFound', { key })
      if (!isActObject(object)) throw new PpnError('DeclaredInFolder', { key, file: 'the cluster' })
      const parsed = parseSpec(object.kind, spec)
      if (!parsed.ok)
        throw new PpnError('InvalidObject', { key, what: parsed.issues.map(({ message }) => message).join('; ') })
      const [field] = immutableBreaches(object.kind, object.spec, parsed.spec)
      if (field !== undefined) throw new PpnError('ImmutableField', { key, field })
      return absorb(object.kind, await writes.replaceSpec(key, object.metadata, spec)) ?? object
    },
    async remove(key) {
      const object = cache.get(key)
      if (!object) return
      if (!isActObject(object)) throw new PpnError('DeclaredInFolder', { key, file: 'the cluster' })
      if (object.metadata.deletionTimestamp !== undefined) return
      const { uid } = object.metadata
      const left = await writes.remove(key, uid)
      if (left === 'gone') changed(cache.finish(object.kind, key, uid))
      else absorb(object.kind, left)
    },
  }
}

const keyOfObject = ({ kind, metadata }: AnyObject) => keyOf(kind, metadata.name, metadata.namespace)

/** What a watch or a list tells of our own writes has been taken in with their answers, unless it is the quicker one. */
const byOthers = (events: readonly StoreEvent[]): StoreEvent[] =>
  events.map((event) => (event.type === 'upsert' ? { ...event, byOthers: true } : event))
