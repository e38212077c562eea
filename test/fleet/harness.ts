// A whole fleet in one process under virtual time: the real authority, the real agents on simulated drivers, and a
// network in memory between them. Every part can be killed and started again from what it left behind.

import { type SimulatedNode, simulatedNode } from '../../agent/simulated/node.ts'
import { fileWorld, learnEndpoint } from '../../agent/simulated/world.ts'
import { type Condition, type Kind, keyOf } from '../../api/meta.ts'
import type { AnyObject } from '../../api/v1alpha1/index.ts'
import { type Authority, startAuthority } from '../../authority/main/authority.ts'
import { silentLogger } from '../../base/log.ts'
import type { RandomBytes } from '../../base/random.ts'
import { armorBundle } from '../../protocol/bundle/armor.ts'
import { fingerprint } from '../../protocol/keys.ts'
import { memoryState } from '../../stores/memory/state.ts'
import { type MemoryStore, memoryStore } from '../../stores/memory/store.ts'
import { memoryFiles } from '../../testing/memory-files.ts'
import { type MemoryNetwork, memoryNetwork } from '../../testing/memory-network.ts'
import { type VirtualClock, virtualClock } from '../../testing/virtual-clock.ts'

export interface RecordedEvent {
  key: string
  reason: string
  message: string
}

export interface Fleet {
  clock: VirtualClock
  network: MemoryNetwork
  store: MemoryStore
  authority: Authority
  nodes: Map<string, SimulatedNode>
  events: RecordedEvent[]
  /** The authority's folder, by path. */
  files: Map<string, Uint8Array>
  object(kind: Kind, name: string, namespace?: string): AnyObject | undefined
  condition(kind: Kind, name: string, type?: string): Pick<Condition, 'status' | 'reason'> | undefined
  /** Declares objects, also for every authority that starts later. */
  declare(...objects: unknown[]): void
  /** Advances until `done`, a second at a time; throws with everything not Ready after `withinMs`. */
  until(done: () => boolean, withinMs?: number): Promise<void>
  untilReady(withinMs?: number): Promise<void>
  /** Ends the authority at once, as SIGKILL would, and starts the next one from what it left. */
  restartAuthority(): Promise<void>
  killAuthority(): void
  startAuthority(): Promise<void>
  stop(): Promise<void>
}

/** A deterministic source of bytes: the same seed, the same fleet. */
export function seededBytes(seed: number): RandomBytes {
  let state = seed >>> 0 || 1
  const next = () => {
    // xorshift32 (Marsaglia, 2003)
    state ^= state << 13
    state >>>= 0
    state ^= state >>> 17
    state ^= state << 5
    state >>>= 0
    return state & 0xff
  }
  return (n) => Uint8Array.from({ length: n }, next)
}

const readyOf = (o: AnyObject) =>
  (o.status as { conditions?: Condition[] } | undefined)?.conditions?.find((c) => c.type === 'Ready')

export async function startFleet(objects: readonly unknown[], options: { seed?: number } = {}): Promise<Fleet> {
  const clock = virtualClock()
  const random = seededBytes(options.seed ?? 1)
  const network = memoryNetwork(clock)
  const state = memoryState()
  const files = new Map<string, Uint8Array>()
  const world = fileWorld(memoryFiles())
  const nodes = new Map<string, SimulatedNode>()
  const events: RecordedEvent[] = []
  /** What the source says: it outlives every authority. */
  const declared = new Map<string, unknown>()
  const remember = (more: readonly unknown[]) => {
    for (const o of more as { kind: string; metadata: { name: string } }[])
      declared.set(`${o.kind}/${o.metadata.name}`, o)
  }
  remember(objects)
  let running: { stop: AbortController; authority: Authority; store: MemoryStore } | undefined

  const start = async () => {
    const stop = new AbortController()
    const store = memoryStore({ clock, random, state })
    store.apply(...declared.values())
    const authority = await startAuthority(
      {
        store,
        events: {
          record: (o, _type, reason, message) =>
            void events.push({ key: keyOf(o.kind as Kind, o.name, o.namespace), reason, message }),
        },
        files: memoryFiles(files),
        transport: network.transport(),
        clock,
        random,
        log: silentLogger(),
      },
      stop.signal,
    )
    running = { stop, authority, store }
    // What `ppn up --simulate` does: a machine for every declared node, as soon as it has an address.
    store.subscribe((event) => {
      if (event.type === 'upsert' && event.object.kind === 'Node') void provision(event.object.metadata.name)
    })
    for (const node of store.list('Node')) void provision(node.metadata.name)
  }
  const provisioning = new Set<string>()
  const provision = async (name: string) => {
    const now = running
    const object = now?.store.get('Node', name)
    const address = object && now?.authority.allocator.addressOf(object.metadata.uid)
    if (!now || !object || !address || provisioning.has(name) || nodes.has(name)) return
    provisioning.add(name)
    try {
      if (object.spec.endpoint) await learnEndpoint(world, object.spec.endpoint, address)
      const node = await simulatedNode({
        address,
        files: memoryFiles().sub(name),
        transport: network.transport(),
        clock,
        random,
        log: silentLogger(),
        resolve: async (endpoint) => (await world.directory())[endpoint],
        behindNat: object.spec.endpoint === undefined,
      })
      nodes.set(name, node)
      const nodeId = await now.authority.allocator.nodeId(object.metadata.uid, name)
      await now.authority.registry.enrol(name, nodeId, await node.identity(), 'simulated')
      const bundle = await firstBundle(name)
      await node.import(armorBundle(bundle), fingerprint(now.authority.keys.keys.signing.publicKey))
      await node.start()
    } finally {
      provisioning.delete(name)
    }
  }
  /** The bundle is there as soon as the Node has been reconciled after its enrolment. */
  const firstBundle = async (name: string): Promise<Uint8Array> => {
    for (;;) {
      try {
        return await (running as NonNullable<typeof running>).authority.publisher.firstBundle(name)
      } catch {
        await clock.sleep(20)
      }
    }
  }
  const kill = () => {
    running?.stop.abort(new Error('killed'))
    running = undefined
  }
  const live = () => {
    if (!running) throw new Error('no authority runs')
    return running
  }
  const all = () =>
    ['Mesh', 'Node', 'ResourcePool', 'Archive'].flatMap((k) => live().store.list(k as Kind) as AnyObject[])

  const fleet: Fleet = {
    clock,
    network,
    nodes,
    events,
    files,
    get store() {
      return live().store
    },
    get authority() {
      return live().authority
    },
    object: (kind, name, namespace) => live().store.get(kind, name, namespace) as AnyObject | undefined,
    condition(kind, name, type = 'Ready') {
      const object = (live().store.list(kind) as AnyObject[]).find((o) => o.metadata.name === name)
      const list = (object?.status as { conditions?: Condition[] } | undefined)?.conditions
      const found = list?.find((c) => c.type === type)
      return found && { status: found.status, reason: found.reason }
    },
    async until(done, withinMs = 120_000) {
      for (let passed = 0; passed < withinMs; passed += 500) {
        if (done()) return
        await clock.advance(500)
      }
      if (done()) return
      const waiting = all()
        .map((o) => ({ name: `${o.kind}/${o.metadata.name}`, ready: readyOf(o) }))
        .filter(({ ready }) => ready?.status !== 'True')
        .map(({ name, ready }) => `${name}: ${ready?.status} ${ready?.reason}: ${ready?.message}`)
      throw new Error(`not within ${withinMs} ms of virtual time; not Ready:\n${waiting.join('\n')}`)
    },
    declare(...more) {
      remember(more)
      running?.store.apply(...more)
    },
    untilReady: (withinMs) =>
      fleet.until(
        () =>
          all().every((o) => readyOf(o)?.status === 'True' && readyOf(o)?.observedGeneration === o.metadata.generation),
        withinMs,
      ),
    killAuthority: kill,
    startAuthority: start,
    async restartAuthority() {
      kill()
      await start()
    },
    async stop() {
      kill()
      for (const node of nodes.values()) await node.kill('machine')
    },
  }
  await start()
  return fleet
}
