// From news to keys: store, telemetry, bundles, registry, brake and time. One subscription each, and the queue does the
// rest (deduplication, one run a key at a time).
import { KINDS, type Kind, keyOf, type ObjectKey, parseKey } from '../api/meta.ts'
import type { AnyObject } from '../api/v1alpha1/index.ts'
import { channelOf } from './common/channel.ts'
import { conditionOf } from './common/conditions.ts'
import { objectKey } from './common/perform.ts'
import type { ControllerWorld } from './common/world.ts'
import { type Change, dependents } from './dependents.ts'
import type { LiveIndex } from './fleet-index.ts'
import type { Enqueue } from './ports/reconciler.ts'
import type { StoreEvent } from './ports/store.ts'

export const CONTROLLER_OF: Readonly<Record<Kind, string>> = {
  Mesh: 'mesh',
  Node: 'node',
  Pairing: 'pairing',
  ResourcePool: 'pool',
  Archive: 'archive',
}

const RESYNC_MS = 10 * 60_000
/** Spread of a resync, so that it is no burst. */
const RESYNC_SPREAD_MS = 60_000
/** The brake's own reading is at most 5 s old; this only tells the objects. */
const CHANNEL_CHECK_MS = 1_000

/** Everything that is declared runs again. */
export function enqueueAll(world: ControllerWorld, enqueue: Enqueue, reason: string, spreadMs = 0): void {
  for (const kind of KINDS)
    for (const object of world.store.list(kind)) {
      const key = objectKey(object)
      enqueue(CONTROLLER_OF[kind], key, reason, { priority: 0, afterMs: spreadMs && spreadOf(key) % spreadMs })
    }
}

/** The same for the same key, even over keys: FNV-1a (draft-eastlake-fnv), 32 bits. */
function spreadOf(key: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193) >>> 0
  return hash
}

/** Runs the dependents of what changed. */
export function spread(world: ControllerWorld, enqueue: Enqueue, key: ObjectKey, change: Change, reason: string): void {
  for (const other of dependents(world, key, change)) enqueue(CONTROLLER_OF[parseKey(other).kind], other, reason)
}

/** Wires every edge until `signal` aborts, and runs everything once the store has synced. */
export function wireEdges(world: ControllerWorld, index: LiveIndex, enqueue: Enqueue, signal: AbortSignal): void {
  const { store, fleet, bundles, registry, ceremonies, clock } = world
  const told = new Map<ObjectKey, AnyObject>()
  const run = (key: ObjectKey, reason: string, priority: 0 | 1 | 2) =>
    enqueue(CONTROLLER_OF[parseKey(key).kind], key, reason, { priority })
  const onNode = (change: Change, what: string) => (node: string) =>
    spread(world, enqueue, keyOf('Node', node), change, `${what} of ${node}`)

  // Before the source has been read in full nothing runs, so nothing is enqueued: the sync runs everything anyway.
  let started = false
  const onStore = (event: StoreEvent) => {
    if (event.type === 'synced') {
      started = true
      enqueueAll(world, enqueue, 'start')
    }
    if (event.type === 'removed' && started) {
      const before = told.get(event.key)
      told.delete(event.key)
      run(event.key, 'removed', 1)
      spreadOld(event.object)
      if (before) spreadOld(before)
      spread(world, enqueue, event.key, 'declared', `${event.key} removed`)
    }
    if (event.type === 'upsert') onUpsert(event.key, event.object, event.byOthers === true)
  }
  const onUpsert = (key: ObjectKey, object: AnyObject, byOthers: boolean) => {
    const before = told.get(key)
    told.set(key, object)
    if (!started) return
    const reason = before ? whatChanged(before, object) : 'declared'
    if (reason === 'status') {
      // A status that somebody edited or took away is written again at once; our own is no news to us.
      if (byOthers) run(key, 'its status was changed by others', 1)
      return onStatus(before as AnyObject, object)
    }
    run(key, reason, 2)
    // Nobody else looks at finalizers; at a fleet's first sight every object gets one.
    if (reason === 'finalizers') return
    if (before) spreadOld(before)
    spread(world, enqueue, key, 'declared', `${reason} of ${key}`)
  }
  // The node that an archive left, the hub that a spoke was.
  const spreadOld = (before: AnyObject) => {
    if (before.kind === 'Archive') run(keyOf('Node', before.spec.nodeName), `${objectKey(before)} left`, 1)
    if (before.kind === 'Node' && before.spec.role === 'hub')
      for (const node of world.index.nodes()) run(objectKey(node), `hub ${before.metadata.name} changed`, 1)
  }
  // Of a status only verdicts concern others, and only a Node's: its mesh counts them, its archives wait for them.
  const onStatus = (before: AnyObject, object: AnyObject) => {
    if (object.kind !== 'Node' || sameVerdicts(before, object)) return
    for (const mesh of store.list('Mesh')) run(objectKey(mesh), `status of ${object.metadata.name}`, 1)
    if (sameVerdict(before, object, 'Accepted')) return
    onNode('seen', 'acceptance')(object.metadata.name)
  }

  const onCeremony = (uid: string) => {
    const pairing = store.list('Pairing').find((object) => object.metadata.uid === uid)
    if (pairing) run(objectKey(pairing), 'its ceremony', 2)
  }

  const stops = [
    store.subscribe((event) => {
      index.take(event)
      onStore(event)
    }),
    fleet.subscribe(onNode('seen', 'telemetry')),
    bundles.subscribe(onNode('bundle', 'bundle')),
    registry.subscribe(onNode('enrolled', 'enrolment')),
    ceremonies.subscribe(onCeremony),
  ]
  const unsubscribe = () => {
    for (const stop of stops) stop()
  }
  signal.addEventListener('abort', unsubscribe, { once: true })

  const every = (ms: number, act: () => void) => {
    let timer = clock.after(ms, again)
    function again() {
      act()
      timer = clock.after(ms, again)
    }
    signal.addEventListener('abort', () => timer.cancel(), { once: true })
  }
  let channel = channelOf(world)
  every(CHANNEL_CHECK_MS, () => {
    const now = channelOf(world)
    if (now === channel) return
    enqueueAll(world, enqueue, `${channel} before, ${now} now`)
    channel = now
  })
  every(RESYNC_MS, () => enqueueAll(world, enqueue, 'resync', RESYNC_SPREAD_MS))

  for (const kind of KINDS) for (const object of store.list(kind)) told.set(objectKey(object), object as AnyObject)
  if (store.health().synced) onStore({ type: 'synced' })
}

type WhatChanged = 'declared' | 'spec' | 'deletion' | 'metadata' | 'finalizers' | 'status'

function whatChanged(before: AnyObject, after: AnyObject): WhatChanged {
  const [a, b] = [before.metadata, after.metadata]
  if (a.uid !== b.uid) return 'declared'
  if (a.generation !== b.generation) return 'spec'
  if (a.deletionTimestamp !== b.deletionTimestamp) return 'deletion'
  const same = (x: object, y: object) => JSON.stringify(x) === JSON.stringify(y)
  if (!same(a.annotations, b.annotations)) return 'metadata'
  return same(a.finalizers, b.finalizers) ? 'status' : 'finalizers'
}

function sameVerdict(before: AnyObject, after: AnyObject, type: string): boolean {
  const [a, b] = [before, after].map((object) => conditionOf(object.status?.conditions, type))
  return a?.status === b?.status && a?.observedGeneration === b?.observedGeneration
}

function sameVerdicts(before: AnyObject, after: AnyObject): boolean {
  return ['Ready', 'Accepted'].every((type) => sameVerdict(before, after, type))
}
