// A whole fleet in one process under virtual time: the real authority, the real agents on simulated drivers, and a
// network in memory between them. Every part can be killed and started again from what it left behind.

import { beginLife, type Life, mortal, mortalClock, mortalTransport } from '../../agent/simulated/mortal.ts'
import { type SimulatedNode, type SimulatedNodeOptions, simulatedNode } from '../../agent/simulated/node.ts'
import { fileWorld, learnEndpoint } from '../../agent/simulated/world.ts'
import { type Condition, type Kind, keyOf } from '../../api/meta.ts'
import type { AnyObject } from '../../api/v1alpha1/index.ts'
import { type Authority, startAuthority } from '../../authority/main/authority.ts'
import type { AuthorityOptions } from '../../authority/main/options.ts'
import type { Clock } from '../../base/clock.ts'
import { silentLogger } from '../../base/log.ts'
import type { RandomBytes } from '../../base/random.ts'
import { armorBundle } from '../../protocol/bundle/armor.ts'
import { fingerprint } from '../../protocol/keys.ts'
import type { WireVersions } from '../../protocol/versions.ts'
import { type MemoryState, memoryState } from '../../stores/memory/state.ts'
import { type MemoryStore, memoryStore } from '../../stores/memory/store.ts'
import { memoryFiles } from '../../testing/memory-files.ts'
import { type MemoryNetwork, memoryNetwork } from '../../testing/memory-network.ts'
import { type VirtualClock, virtualClock } from '../../testing/virtual-clock.ts'
import { type WriteLimit, writeLimit } from './write-limit.ts'

export interface RecordedEvent {
  key: string
  reason: string
  message: string
}

/** Where machines call to join: not a mesh address. */
export const PAIRING_ADDRESS = '203.0.113.1'

/** The authority's folder and its database. */
export interface AuthorityState {
  files: Map<string, Uint8Array>
  database: MemoryState
}

export interface FleetOptions {
  seed?: number
  /** What each simulated machine is made with, besides the defaults. */
  machine?: Partial<SimulatedNodeOptions>
  /** What each authority is started with, besides the defaults. */
  authority?: Partial<AuthorityOptions>
  /** What a node's agent speaks, asked for at each of its starts; the built-in tables when absent. */
  versions?(node: string): WireVersions | undefined
  /** Nodes whose machine nobody sets up: it joins by itself. */
  joining?: readonly string[]
}

export interface Fleet {
  clock: VirtualClock
  network: MemoryNetwork
  store: MemoryStore
  authority: Authority
  nodes: Map<string, SimulatedNode>
  events: RecordedEvent[]
  /** The authority's folder, by path. */
  readonly files: Map<string, Uint8Array>
  /** The machine behind a Node that joins by itself; neither enrolled nor started. */
  machine(name: string): Promise<SimulatedNode>
  /** The agent's and the machine's folder of a node, by path: `agent/marks`, ... */
  nodeFiles(name: string): Map<string, Uint8Array>
  object(kind: Kind, name: string, namespace?: string): AnyObject | undefined
  condition(kind: Kind, name: string, type?: string): Pick<Condition, 'status' | 'reason'> | undefined
  /** Declares objects, also for every authority that starts later. */
  declare(...objects: unknown[]): void
  /** Takes an object out of the source, also for every authority that starts later. */
  withdraw(kind: Kind, name: string, namespace?: string): void
  /** Advances until `done`, a second at a time; throws with everything not Ready after `withinMs`. */
  until(done: () => boolean, withinMs?: number): Promise<void>
  untilReady(withinMs?: number): Promise<void>
  /** Ends the authority at once, as SIGKILL would, and starts the next one from what it left. */
  restartAuthority(): Promise<void>
  killAuthority(): void
  /**
   * Kills the process (`authority`, or the agent of that node's machine) once so many more of its writes have reached the
   * disk; what it does after that reaches nobody.
   */
  killAfter(process: string, writes: number): void
  /** Whether that process runs. */
  alive(process: string): boolean
  /** Starts it again from what it left. */
  revive(process: string): Promise<void>
  startAuthority(): Promise<void>
  /** A copy of all that the authority has on disk. */
  authorityState(): AuthorityState
  /** The next authority to start finds this instead. */
  replaceAuthorityState(state: AuthorityState): void
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

export function copyOf({ files, database }: AuthorityState): AuthorityState {
  const copy = memoryState()
  copy.objects.write(database.objects.load(), [], database.objects.resourceVersion(), true)
  copy.records.write(database.records.load(), [], database.records.version())
  return { files: new Map(files), database: copy }
}

/** What a dead process still holds in memory reaches no disk. */
function mortalState(state: MemoryState, life: Life, wrote: () => void): MemoryState {
  const alive = <T extends unknown[]>(write: (...args: T) => void) => {
    return (...args: T) => {
      if (life.dead) throw new Error('the process is dead')
      write(...args)
      wrote()
    }
  }
  return {
    ...state,
    objects: { ...state.objects, write: alive(state.objects.write) },
    records: { ...state.records, write: alive(state.records.write) },
  }
}

interface Running {
  life: Life
  stop: AbortController
  store: MemoryStore
  authority: Authority
}

export async function startFleet(objects: readonly unknown[], options: FleetOptions = {}): Promise<Fleet> {
  const clock = virtualClock()
  const random = seededBytes(options.seed ?? 1)
  const network = memoryNetwork(clock)
  let disk: AuthorityState = { files: new Map(), database: memoryState() }
  const world = fileWorld(memoryFiles())
  const machineFiles = new Map<string, Map<string, Uint8Array>>()
  const machines = new Map<string, SimulatedNode>()
  const nodes = new Map<string, SimulatedNode>()
  const events: RecordedEvent[] = []
  /** What the source says: it outlives every authority. */
  const declared = new Map<string, unknown>()
  const placeOf = (kind: string, name: string, namespace?: string) => [kind, namespace, name].join('/')
  const remember = (more: readonly unknown[]) => {
    for (const o of more as { kind: string; metadata: { name: string; namespace?: string } }[])
      declared.set(placeOf(o.kind, o.metadata.name, o.metadata.namespace), o)
  }
  remember(objects)
  let running: Running | undefined
  const ofAuthority = writeLimit(() => kill())
  const ofAgents = new Map<string, WriteLimit>()

  const filesOf = (name: string) => {
    const found = machineFiles.get(name) ?? new Map<string, Uint8Array>()
    machineFiles.set(name, found)
    return found
  }
  /** The machine behind a Node: made once, whoever asks. */
  const machineOf = async (name: string, address: string, behindNat: boolean): Promise<SimulatedNode> => {
    const found = machines.get(name)
    if (found) return found
    const limit = writeLimit(() => void machines.get(name)?.kill('agent'))
    ofAgents.set(name, limit)
    const made = await simulatedNode({
      address,
      files: limit.over(memoryFiles(filesOf(name))),
      transport: network.transport(),
      clock,
      random,
      log: silentLogger(),
      resolve: async (endpoint) => (await world.directory())[endpoint],
      behindNat,
      versions: () => options.versions?.(name),
      ...options.machine,
    })
    machines.set(name, made)
    return made
  }

  const start = async () => {
    const life = beginLife()
    const stop = new AbortController()
    const itsClock = mortalClock(clock, life)
    const store = memoryStore({ clock: itsClock, random, state: mortalState(disk.database, life, ofAuthority.wrote) })
    store.apply(...declared.values())
    const authority = await startAuthority(
      {
        store,
        events: {
          record: (o, _type, reason, message) =>
            void events.push({ key: keyOf(o.kind as Kind, o.name, o.namespace), reason, message }),
        },
        files: mortal(ofAuthority.over(memoryFiles(disk.files)), life),
        transport: mortalTransport(network.transport(), life),
        clock: itsClock,
        random,
        log: silentLogger(),
        pairing: { transport: mortalTransport(network.transport(), life), address: PAIRING_ADDRESS },
        ...options.authority,
      },
      stop.signal,
    )
    const now: Running = { life, stop, authority, store }
    running = now
    // What `ppn up --simulate` does: a machine for every declared node, as soon as it has an address.
    const provisioning = new Set<string>()
    const look = (name: string) => {
      if (life.dead || nodes.has(name) || provisioning.has(name) || options.joining?.includes(name)) return
      provisioning.add(name)
      void provision(now, itsClock, name)
        .catch((error) => {
          if (!life.dead) throw error
        })
        .finally(() => provisioning.delete(name))
    }
    store.subscribe((event) => {
      if (event.type === 'upsert' && event.object.kind === 'Node') look(event.object.metadata.name)
    })
    for (const node of store.list('Node')) look(node.metadata.name)
  }
  /** Every step may be the last one before a kill, and is repeated by the next authority. */
  const provision = async ({ store, authority, life }: Running, itsClock: Clock, name: string) => {
    const object = store.get('Node', name)
    const address = object && authority.allocator.addressOf(object.metadata.uid)
    if (!object || !address) return
    if (object.spec.endpoint) await learnEndpoint(world, object.spec.endpoint, address)
    const node = await machineOf(name, address, object.spec.endpoint === undefined)
    const nodeId = await authority.allocator.nodeId(object.metadata.uid, name)
    await authority.registry.enrol(name, nodeId, await node.identity(), 'simulated')
    // The bundle is there as soon as the Node has been reconciled after its enrolment.
    let bundle: Uint8Array | undefined
    while (!bundle) {
      if (life.dead) return
      bundle = await authority.publisher.firstBundle(name).catch(() => undefined)
      if (!bundle) await itsClock.sleep(20)
    }
    if (life.dead) return
    await node.import(armorBundle(bundle), fingerprint(authority.keys.keys.signing.publicKey))
    await node.start()
    nodes.set(name, node)
  }
  const kill = () => {
    running?.life.die()
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
    get files() {
      return disk.files
    },
    nodeFiles: filesOf,
    async machine(name) {
      const object = live().store.get('Node', name)
      const address = object && live().authority.allocator.addressOf(object.metadata.uid)
      if (!address) throw new Error(`${name} has no address yet`)
      const made = await machineOf(name, address, object.spec.endpoint === undefined)
      nodes.set(name, made)
      return made
    },
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
    withdraw(kind, name, namespace) {
      declared.delete(placeOf(kind, name, namespace))
      running?.store.withdraw(kind, name, namespace)
    },
    untilReady: (withinMs) =>
      fleet.until(
        () =>
          all().every((o) => readyOf(o)?.status === 'True' && readyOf(o)?.observedGeneration === o.metadata.generation),
        withinMs,
      ),
    killAuthority: kill,
    killAfter: (process, writes) => (process === 'authority' ? ofAuthority : ofAgents.get(process))?.set(writes),
    alive: (process) => (process === 'authority' ? running !== undefined : nodes.get(process)?.alive() === true),
    async revive(process) {
      await (process === 'authority' ? start() : nodes.get(process)?.start())
    },
    startAuthority: start,
    async restartAuthority() {
      kill()
      await start()
    },
    authorityState: () => copyOf(disk),
    replaceAuthorityState(state) {
      disk = state
    },
    async stop() {
      kill()
      for (const node of machines.values()) await node.kill('machine')
    },
  }
  await start()
  return fleet
}
