// A namespace on a cluster as a place of an authority (authority/migrate/place.ts). It is held by the Lease that every
// replica needs before it may do anything.
import { isDeepStrictEqual } from 'node:util'
import { ANNOTATION, API_VERSION, FINALIZER, KINDS, keyOf, type ObjectKey } from '../../api/meta.ts'
import type { AnyObject } from '../../api/v1alpha1/index.ts'
import { AUDIT_HEAD_RECORD } from '../../authority/audit-stream.ts'
import { RESTORED_FILE, restoredNow } from '../../authority/backup/snapshot.ts'
import { FILE_RECORDS, writeFileRecord } from '../../authority/main/file-records.ts'
import { factsOnArrival, ofTheAuthority } from '../../authority/migrate/arrival.ts'
import { MARK_RECORD, markInRecords, markRecords } from '../../authority/migrate/mark.ts'
import type { AuthorityState, MovedObject, Place } from '../../authority/migrate/place.ts'
import { type Fact, uidsOnArrival } from '../../authority/migrate/uids.ts'
import { CHAIN_START, type ChainHead } from '../../base/chained-log.ts'
import type { Clock } from '../../base/clock.ts'
import { PpnError } from '../../base/errors.ts'
import type { Logger } from '../../base/log.ts'
import { type KubeApi, type KubeRequest, PATCH, statusText } from '../../stores/kube/api.ts'
import { AUTHORITY_LEASE, lead } from '../../stores/kube/lease.ts'
import { BRAKE_ANNOTATION, meshBrake } from '../../stores/kube/mesh-brake.ts'
import { project } from '../../stores/kube/projection.ts'
import { recordName } from '../../stores/kube/records.ts'
import { registryLines } from '../../stores/kube/registry-lines.ts'
import { objectPath, RECORD_API_VERSION, recordsPath } from '../../stores/kube/resources.ts'
import { ACT_LABEL, type KubeStore, openKubeStore } from '../../stores/kube/store.ts'
import { FIELD_MANAGER, kubeWrites } from '../../stores/kube/writes.ts'
import { saidOf } from './migrate-folder.ts'
import { keysInSecret, readKeysSecret, writeKeysSecret } from './migrate-secret.ts'

/** A Lease that was left without a word is free after 15 s. */
const LEASE_WITHIN_MS = 25_000
const READ_WITHIN_MS = 60_000
/** `kubectl apply --server-side` goes by this name, so what it applies next is its own. */
const DECLARER = 'kubectl'
/** Records on their way at once. */
const AT_ONCE = 16
/** Of one object of the registry: the CRD allows 65,536. */
const PIECE_LENGTH = 60_000

export interface ClusterPlaceOptions {
  api: KubeApi
  /** URL of the API server, for people. */
  server: string
  namespace: string
  /** Where the authority finds its keys. */
  secret: string
  clock: Clock
  random01(): number
  log: Logger
  identity: string
  /** Look without holding the place: for a dry run. */
  lookOnly?: boolean
}

export interface ClusterPlace extends Place {
  /** What is here came out of an older etcd: the next leader goes as carefully as after `ppn restore`. Durable. */
  setRestored(): Promise<void>
  close(): Promise<void>
}

const refuse = (what: string): never => {
  throw new PpnError('MigrateRefused', { what })
}
const keyFor = ({ kind, metadata }: AnyObject): ObjectKey => keyOf(kind, metadata.name, metadata.namespace)
/** As a new authority meets them, and within a kind in the order of first sight, which ranks newcomers. */
const inOrder = (a: MovedObject, b: MovedObject): number =>
  KINDS.indexOf(a.object.kind) - KINDS.indexOf(b.object.kind) ||
  (a.object.metadata.creationTimestamp < b.object.metadata.creationTimestamp ? -1 : 1)

/** Throws LeaseHeld while an authority leads there, KubeRefused and MigrateRefused. */
export async function clusterPlace(options: ClusterPlaceOptions, signal: AbortSignal): Promise<ClusterPlace> {
  const { api, namespace, clock, log } = options
  const name = `${options.server} namespace ${namespace}`
  const found = await api.request({ method: 'GET', path: `/api/v1/namespaces/${encodeURIComponent(namespace)}` })
  if (found.status === 404) refuse(`there is no namespace ${namespace}: kubectl apply --server-side -k manifests/base`)
  const leadership = options.lookOnly ? undefined : await held(options, signal)
  const life = new AbortController()
  const both = AbortSignal.any([signal, life.signal])
  /** Every write asks first: the Lease is what keeps an authority from starting meanwhile. */
  const guarded: KubeApi = {
    watch: api.watch,
    async request(request) {
      if (request.method !== 'GET' && !leadership?.holds() && !isDryRun(request)) throw new PpnError('LeaseLost')
      return api.request(request)
    },
  }
  let store: KubeStore | undefined
  const close = async () => {
    life.abort(new Error('the place is closed'))
    await store?.close()
    await leadership?.release()
  }
  try {
    const late = clock.after(READ_WITHIN_MS, () => life.abort(new Error(`${name} could not be read in time`)))
    store = await openKubeStore({ ...options, api: guarded, log }, both)
    await store.start(both)
    late.cancel()
  } catch (error) {
    await close()
    throw error
  }
  return { ...placeOver(store, guarded, name, options), close }
}

const isDryRun = ({ path }: KubeRequest): boolean => path.includes('dryRun=All')

async function held({ api, namespace, clock, random01, log, identity }: ClusterPlaceOptions, signal: AbortSignal) {
  const late = new AbortController()
  const timer = clock.after(LEASE_WITHIN_MS, () => late.abort(new Error('too late')))
  let holder = 'nobody that can be read'
  const onHolder = (seen: string | undefined) => {
    holder = seen ?? holder
  }
  try {
    return await lead(
      { ...{ api, namespace, clock, random01, log, identity, onHolder }, name: AUTHORITY_LEASE },
      AbortSignal.any([signal, late.signal]),
    )
  } catch (error) {
    if (!late.signal.aborted) throw error
    throw new PpnError('LeaseHeld', { lease: AUTHORITY_LEASE, holder, namespace })
  } finally {
    timer.cancel()
  }
}

function placeOver(
  store: KubeStore,
  api: KubeApi,
  name: string,
  options: ClusterPlaceOptions,
): Omit<ClusterPlace, 'close'> {
  const { namespace, secret, clock } = options
  const { records } = store
  const lines = registryLines(api, namespace)
  const brake = meshBrake({ api })
  const objects = () => KINDS.flatMap((kind) => store.list(kind) as AnyObject[])

  const ask = async ({ object, raw, act }: MovedObject, dryRun: boolean): Promise<unknown> => {
    const { kind, metadata } = object
    const query = new URLSearchParams({ fieldManager: act ? FIELD_MANAGER : DECLARER, force: 'true' })
    if (dryRun) query.set('dryRun', 'All')
    const path = `${objectPath(kind, metadata)}?${query}`
    const body = { apiVersion: API_VERSION, kind, metadata: metadataOf(object, act), spec: raw }
    const answer = await api.request({ method: 'PATCH', path, contentType: PATCH.apply, body })
    if (answer.status !== 200 && answer.status !== 201)
      throw new PpnError('MigrateRefused', { what: `${keyFor(object)}: the API server says ${statusText(answer)}` })
    return answer.body
  }
  const apply = async (one: MovedObject): Promise<AnyObject> => {
    const { metadata, spec } = project(one.object.kind, await ask(one, false))
    return { ...one.object, metadata, spec: spec ?? one.object.spec } as AnyObject
  }
  const compare = ({ objects: arriving }: AuthorityState) => {
    const differing = arriving.filter(({ object }) => {
      const there = store.getByKey(keyFor(object))
      return there && !isDeepStrictEqual(saidOf(there), saidOf(object))
    })
    if (differing.length > 0)
      refuse(`the cluster and the folder differ in ${differing.map(({ object }) => keyFor(object)).join(', ')}`)
    const there = ({ object }: MovedObject) => store.getByKey(keyFor(object)) !== undefined
    return { kept: arriving.filter(there), declare: arriving.filter((one) => !there(one)).sort(inOrder) }
  }
  /**
   * What is on its way out goes on so, under the new uid. The lock on deletions wants a confirmation on the object; it is
   * taken off again, for it would let a held deletion go on.
   */
  const remove = async ({ kind, metadata }: AnyObject, uid: string) => {
    const key = keyOf(kind, metadata.name, metadata.namespace)
    const path = objectPath(kind, metadata)
    const patch = async (change: object) => {
      const body = { metadata: { uid, ...change } }
      const request = { method: 'PATCH', path: `${path}?fieldManager=${FIELD_MANAGER}`, body } as const
      const answer = await api.request({ ...request, contentType: PATCH.merge })
      if (answer.status !== 200) throw new PpnError('KubeRefused', { what: key, why: statusText(answer) })
    }
    const confirmed = metadata.annotations[ANNOTATION.confirmDelete] ?? null
    if (store.getByKey(key)?.metadata.deletionTimestamp === undefined) {
      await patch({ annotations: { [ANNOTATION.confirmDelete]: metadata.name }, finalizers: metadata.finalizers })
      const answer = await api.request({ method: 'DELETE', path, body: { preconditions: { uid } } })
      if (answer.status !== 200)
        throw new PpnError('KubeRefused', { what: `the deletion of ${key}`, why: statusText(answer) })
    }
    await patch({ annotations: { [ANNOTATION.confirmDelete]: confirmed } })
  }
  const writeFacts = async (facts: readonly Fact[]) => {
    const wanted = new Map(facts.map((fact) => [fact.key, fact.value]))
    const stale = records.list('').filter(({ key }) => !wanted.has(key) && key !== MARK_RECORD)
    await each(stale, ({ key, version }) => records.delete(key, version))
    await each([...wanted], async ([key, value]) => {
      const known = records.get(key)
      if (!known || !isDeepStrictEqual(known.value, value)) await records.put(key, value, known?.version ?? 0)
    })
  }
  const writeRegistry = async (registry: Uint8Array) => {
    const text = Buffer.from(registry).toString('utf8')
    const there = Buffer.from(await lines.read()).toString('utf8')
    if (!text.startsWith(there)) refuse('the registry on the cluster has other lines than this one')
    for (const piece of pieces(text.slice(there.length))) await lines.append(Buffer.from(piece))
  }

  return {
    name,
    mark: async () => markInRecords(records),
    setMark: (mark) => markRecords(records, mark),
    async occupied() {
      const [record] = records.list('').filter(ofTheAuthority)
      if (record) return `the record ${record.key}`
      return (await lines.read()).length > 0 ? 'a registry' : undefined
    },
    async read() {
      const [fault] = store.health().problems
      if (fault) refuse(`${fault.key ?? 'the cluster'}: ${fault.message}`)
      const [waiting] = records.list(FILE_RECORDS)
      if (waiting) refuse(`${waiting.key} has not been taken up yet: start the authority there once`)
      const reason = await brake.look()
      return {
        objects: objects().map((object) => ({ object, raw: object.spec, act: store.isAct(keyFor(object)) })),
        facts: records.list('').filter(ofTheAuthority),
        registry: await lines.read(),
        auditHead: (records.get(AUDIT_HEAD_RECORD)?.value as ChainHead | undefined) ?? CHAIN_START,
        keys: keysInSecret(await readKeysSecret(api, namespace, secret)),
        ...(reason !== undefined && { brake: reason }),
      }
    },
    async plan(state) {
      const { declare, kept } = compare(state)
      // Asked before anything is marked: what the server or its roles would refuse, they refuse now.
      await each(declare, (one) => ask(one, true))
      await tryRecord(api, namespace)
      await writeKeysSecret(api, namespace, secret, state.keys, { dryRun: true })
      return { declare: declare.map(({ object }) => keyFor(object)), kept: kept.map(({ object }) => keyFor(object)) }
    },
    async fill(state) {
      const { declare, kept } = compare(state)
      const arrived = kept.map(({ object }) => store.getByKey(keyFor(object)) as AnyObject)
      for (const one of declare) arrived.push(await apply(one))
      const uids = uidsOnArrival(
        state.objects.map(({ object }) => object),
        arrived,
      )
      await writeFacts([
        ...factsOnArrival(state.facts, uids),
        { key: AUDIT_HEAD_RECORD, value: { count: state.auditHead.count, hash: state.auditHead.hash } },
      ])
      await writeRegistry(state.registry)
      // One that somebody set here stays set, whatever arrives.
      if (state.brake !== undefined) {
        const cidr = state.facts.find(({ key }) => key === 'mesh/cidr')?.value
        if (!arrived.some(({ kind }) => kind === 'Mesh')) await declareMesh(api, cidr)
        await brake.set(state.brake)
      }
      await writeKeysSecret(api, namespace, secret, state.keys)
      for (const { object } of state.objects)
        if (object.metadata.deletionTimestamp !== undefined)
          await remove(object, uids.get(object.metadata.uid) as string)
    },
    async setRestored() {
      await writeFileRecord(records, RESTORED_FILE, restoredNow(clock))
    },
    async letGo() {
      await brake.release()
      const writes = kubeWrites(api)
      for (const object of objects()) {
        const { uid, finalizers } = object.metadata
        if (!finalizers.includes(FINALIZER)) continue
        await writes.finalizers(keyFor(object), uid, object.metadata, (now) =>
          now.includes(FINALIZER) ? now.filter((one) => one !== FINALIZER) : undefined,
        )
      }
    },
  }
}

function metadataOf({ metadata }: AnyObject, act: boolean) {
  const { name, namespace, labels, annotations } = metadata
  return {
    name,
    ...(namespace !== undefined && { namespace }),
    labels: { ...labels, ...(act && { [ACT_LABEL]: '' }) },
    annotations,
  }
}

/** In pieces of whole lines. */
export function* pieces(text: string, most = PIECE_LENGTH): Generator<string> {
  for (let from = 0; from < text.length; ) {
    const newline = from + most >= text.length ? text.length - 1 : text.lastIndexOf('\n', from + most - 1)
    const end = newline < from ? text.indexOf('\n', from) : newline
    const next = end < 0 ? text.length : end + 1
    yield text.slice(from, next)
    from = next
  }
}

/** The mesh that is there without being declared, so that the brake has where to stand. */
async function declareMesh(api: KubeApi, cidr: unknown): Promise<void> {
  const body = {
    ...{ apiVersion: API_VERSION, kind: 'Mesh', metadata: { name: 'default' } },
    spec: cidr === undefined ? {} : { cidr },
  }
  const path = `${objectPath('Mesh', { name: 'default' })}?fieldManager=${DECLARER}&force=true`
  const answer = await api.request({ method: 'PATCH', path, contentType: PATCH.apply, body })
  if (answer.status >= 300)
    throw new PpnError('KubeRefused', { what: `${BRAKE_ANNOTATION} on Mesh/default`, why: statusText(answer) })
}

/** Whether this person may write records here. */
async function tryRecord(api: KubeApi, namespace: string): Promise<void> {
  const key = 'migration/try'
  const metadata = { name: recordName(key), namespace }
  const body = { apiVersion: RECORD_API_VERSION, kind: 'Record', metadata, key, value: 'null' }
  const answer = await api.request({ method: 'POST', path: `${recordsPath(namespace)}?dryRun=All`, body })
  if (answer.status !== 201) throw new PpnError('KubeRefused', { what: 'a record', why: statusText(answer) })
}

async function each<T>(all: readonly T[], act: (one: T) => Promise<unknown>): Promise<void> {
  for (let from = 0; from < all.length; from += AT_ONCE) await Promise.all(all.slice(from, from + AT_ONCE).map(act))
}
