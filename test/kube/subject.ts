// A store over the API server as the conformance suite wants it: a place is a set of objects that one person applies
// and prunes, as kubectl or a GitOps controller does.
import { setTimeout as wait } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { KINDS, type Kind, keyOf } from '../../api/meta.ts'
import { systemClock } from '../../base/clock.ts'
import { silentLogger } from '../../base/log.ts'
import type { Cluster } from '../../hack/kube/cluster.ts'
import { type Connection, connectKube } from '../../stores/kube/connect.ts'
import { collectionPath, objectPath } from '../../stores/kube/resources.ts'
import { type KubeStore, openKubeStore } from '../../stores/kube/store.ts'
import type { StoreSubject } from '../conformance/store/subject.ts'
import { type FaultProxy, faultProxy } from './fault-proxy.ts'

interface Plain {
  kind: Kind
  metadata: { name: string; namespace?: string; uid?: string; resourceVersion?: string; finalizers?: string[] }
}

export interface KubeSubject extends StoreSubject {
  store(): KubeStore
  proxy: FaultProxy
  /** Waits until the store holds what the server holds and nothing is being written. */
  settled(): Promise<void>
}

const SETTLED_WITHIN_MS = 60_000
const LOOK_EVERY_MS = 10
/** Long enough for a start that can succeed. */
const START_WITHIN_MS = 2_000

/** Everything in the cluster, finalizers or not, goes. */
export async function empty(cluster: Cluster): Promise<void> {
  for (const kind of KINDS) {
    const { items } = (await cluster.request('GET', collectionPath(kind))).json() as { items: Plain[] }
    for (const { metadata } of items) {
      const path = objectPath(kind, metadata)
      if (metadata.finalizers?.length)
        await cluster.request('PATCH', path, { metadata: { finalizers: null } }, 'application/merge-patch+json')
      await cluster.request('DELETE', path)
    }
  }
}

let namespaces = 0

export async function kubeSubject(cluster: Cluster): Promise<KubeSubject> {
  const clock = systemClock()
  const proxy = await faultProxy(cluster)
  await empty(cluster)
  // Records of its own: a namespace nobody used before.
  const namespace = `ppn-records-${process.pid}-${namespaces++}`
  await cluster.request('POST', '/api/v1/namespaces', { metadata: { name: namespace } })
  const kubeconfig = await cluster.writeKubeconfig(namespace, { token: cluster.token, url: proxy.url })
  const places = new Map<string, Plain[]>()
  let connection: Connection
  let store: KubeStore
  let life = new AbortController()
  let started: Promise<void> | undefined

  const open = async () => {
    life = new AbortController()
    started = undefined
    connection = await connectKube({ kubeconfig, clock, userAgent: 'store-test' })
    const options = { api: connection, namespace, clock, random01: Math.random, log: silentLogger() }
    store = await openKubeStore(options, life.signal)
  }
  const close = async () => {
    life.abort(new Error('the process ends'))
    await store.close()
    connection.close()
  }
  await open()

  const server = async (): Promise<Map<string, string>> => {
    const held = new Map<string, string>()
    for (const kind of KINDS) {
      const { items } = (await cluster.request('GET', collectionPath(kind))).json() as { items: Plain[] }
      for (const { metadata } of items)
        held.set(keyOf(kind, metadata.name, metadata.namespace), `${metadata.uid} ${metadata.resourceVersion}`)
    }
    return held
  }
  const held = () =>
    new Map(
      KINDS.flatMap((kind) => store.list(kind)).map(({ kind, metadata }) => [
        keyOf(kind, metadata.name, metadata.namespace),
        `${metadata.uid} ${metadata.resourceVersion}`,
      ]),
    )
  const settled = async () => {
    if (!started) return
    const deadline = Date.now() + SETTLED_WITHIN_MS
    while (Date.now() < deadline) {
      const { synced, unreadable } = store.health()
      if (synced && !unreadable && store.writing() === 0 && isDeepStrictEqual(await server(), held())) return
      await wait(LOOK_EVERY_MS)
    }
    throw new Error('the store never came to hold what the server holds')
  }
  const apply = async (plain: Plain) => {
    const { kind, metadata } = plain
    const path = `${objectPath(kind, at(plain))}?fieldManager=tester&force=true`
    if (metadata.namespace)
      await cluster.request('POST', '/api/v1/namespaces', { metadata: { name: metadata.namespace } })
    const send = () => cluster.request('PATCH', path, plain, 'application/apply-patch+yaml')
    const { status, text } = await send()
    // The server drops the status of a new object, its default included, and stores the default with the next write:
    // the one change of a resource version that nobody asked for.
    if (status === 201) await send()
    if (status >= 300) throw new Error(`${keyOf(kind, metadata.name, metadata.namespace)}: ${text}`)
  }
  const at = ({ kind, metadata }: Plain) => ({
    name: metadata.name,
    ...(kind === 'Archive' && { namespace: metadata.namespace ?? 'default' }),
  })
  const remove = async (plain: Plain) => void (await cluster.request('DELETE', objectPath(plain.kind, at(plain))))
  const same = (a: Plain, b: Plain) => objectPath(a.kind, at(a)) === objectPath(b.kind, at(b))
  /** What a place no longer names is pruned, unless another place names it. */
  const declare = async (place: string, documents: Plain[]) => {
    const before = places.get(place) ?? []
    places.set(place, documents)
    const named = [...places.values()].flat()
    for (const plain of documents) await apply(plain)
    for (const old of before) if (!named.some((plain) => same(plain, old))) await remove(old)
    if (!unreachable) await settled()
  }
  let unreachable = false
  return {
    store: () => store,
    proxy,
    settled,
    declare: (place, documents) => declare(place, documents as Plain[]),
    garble: () => Promise.reject(new Error('a server keeps no unreadable objects')),
    drop: (place) => declare(place, []),
    async setUnreadable(now) {
      unreachable = now
      proxy.set({ down: now })
      if (!now) return settled()
      while (started && store.health().unreadable === undefined) await wait(LOOK_EVERY_MS)
    },
    async start() {
      let done = false
      started = store.start(life.signal).then(
        () => {
          done = true
        },
        () => {},
      )
      await Promise.race([started, wait(START_WITHIN_MS)])
      if (done) await settled()
      return done
    },
    async reopen() {
      await close()
      await open()
    },
    async end() {
      await close()
      await proxy.close()
      await empty(cluster)
    },
  }
}
