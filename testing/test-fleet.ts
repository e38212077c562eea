// A control plane with its fleet in one process under virtual time: the real authority over a store in memory, and a
// fake agent for every declared Node, enrolled and given its first bundle as `ppn up --simulate` does it.
import { type Condition, KINDS, type Kind, keyOf, type ObjectKey } from '../api/meta.ts'
import type { AnyObject } from '../api/v1alpha1/index.ts'
import { type Authority, startAuthority } from '../authority/main/authority.ts'
import { type Logger, silentLogger } from '../base/log.ts'
import { armorBundle } from '../protocol/bundle/armor.ts'
import { fingerprint } from '../protocol/keys.ts'
import { memoryState } from '../stores/memory/state.ts'
import { type MemoryStore, memoryStore } from '../stores/memory/store.ts'
import { type FakeAgent, type FakeAgentOptions, fakeAgent } from './fake-agent.ts'
import { memoryFiles } from './memory-files.ts'
import { type MemoryNetwork, memoryNetwork } from './memory-network.ts'
import { readFolder } from './read-folder.ts'
import { seededRandom } from './seeded-random.ts'
import { type SentCommand, sentCommands } from './sent-commands.ts'
import { type VirtualClock, virtualClock } from './virtual-clock.ts'

export interface TestFleetOptions {
  /** Plain, as in YAML. */
  objects?: readonly unknown[]
  /** A fleet folder; its objects come before `objects`. */
  folder?: string
  /** The same seed, the same run to the byte. Default 1. */
  seed?: number | string
  /** Called with each agent before it starts, so that it can misbehave from its first moment. */
  script?(name: string, agent: FakeAgent): void
  /** Of the agents. */
  capacity?: FakeAgentOptions['capacity']
  log?: Logger
}

export interface RecordedEvent {
  key: ObjectKey
  type: 'Normal' | 'Warning'
  reason: string
  message: string
}

/** Condition type to what it says now. */
export type Conditions = Record<string, Pick<Condition, 'status' | 'reason' | 'message'>>

export interface TestFleet {
  clock: VirtualClock
  network: MemoryNetwork
  /** Of the authority that runs now. */
  readonly store: MemoryStore
  /** The authority that runs now: its ports, controllers and bundles. */
  readonly authority: Authority
  /** Every event recorded, oldest first. */
  events: readonly RecordedEvent[]
  /** The authority's folder by path: `files.set('brake', bytes)` sets the brake. */
  files: Map<string, Uint8Array>
  /** The agent of a Node that has got its address and declares no identity of its own. */
  agent(name: string): FakeAgent
  /** Declares objects, or declares them anew; also for every authority that starts later. Throws InvalidObject. */
  apply(...objects: unknown[]): void
  /** Takes an object out of the source. */
  withdraw(kind: Kind, name: string, namespace?: string): void
  object(kind: Kind, name: string, namespace?: string): AnyObject | undefined
  conditions(kind: Kind, name: string, namespace?: string): Conditions
  /** Commands put on the wire since that time (Clock.now()), each once, in order. */
  commandsSent(sinceMs?: number): SentCommand[]
  /** Lets so much virtual time pass. */
  advance(ms: number): Promise<void>
  /** Lets time pass until `done`; throws with everything that is not Ready after `withinMs` (default 2 minutes). */
  until(done: () => boolean, withinMs?: number): Promise<void>
  /** Until every object is Ready at its generation. */
  untilReady(withinMs?: number): Promise<void>
  /** Ends the authority at once, as SIGKILL would. */
  killAuthority(): void
  /** The next authority, from what the last one left. */
  startAuthority(): Promise<void>
  /** Ends everything. */
  stop(): Promise<void>
}

const STEP_MS = 100
const WITHIN_MS = 120_000
const BUNDLE_RETRY_MS = 20
/** Archives without a namespace are in this one. */
const DEFAULT_NAMESPACE = 'default'

const conditionsOf = (o: AnyObject | undefined): Condition[] =>
  (o?.status as { conditions?: Condition[] } | undefined)?.conditions ?? []
const readyOf = (o: AnyObject) => conditionsOf(o).find((c) => c.type === 'Ready')

/** Resolves when the authority stands; advance the clock, or `untilReady`, for the fleet to converge. */
export async function testFleet(options: TestFleetOptions): Promise<TestFleet> {
  const clock = virtualClock()
  const random = seededRandom(options.seed ?? 1)
  const network = memoryNetwork(clock, random)
  const state = memoryState()
  const files = new Map<string, Uint8Array>()
  const agents = new Map<string, FakeAgent>()
  /** Of nodes, by the address they have. */
  const names = new Map<string, string>()
  const events: RecordedEvent[] = []
  /** What the source says: it outlives every authority. */
  const declared = new Map<ObjectKey, unknown>()
  let running: { stop: AbortController; authority: Authority; store: MemoryStore } | undefined

  const live = () => {
    if (!running) throw new Error('no authority runs')
    return running
  }
  const keyOfPlain = (plain: unknown): ObjectKey => {
    const { kind, metadata } = plain as { kind: Kind; metadata: { name: string; namespace?: string } }
    return keyOf(kind, metadata.name, metadata.namespace)
  }
  const remember = (objects: readonly unknown[]): void => {
    for (const plain of objects) declared.set(keyOfPlain(plain), plain)
  }

  /** The bundle is there as soon as the Node has been reconciled after its enrolment. */
  const firstBundle = async (name: string, { stop, authority }: NonNullable<typeof running>): Promise<Uint8Array> => {
    for (;;) {
      try {
        return await authority.publisher.firstBundle(name)
      } catch {
        await clock.sleep(BUNDLE_RETRY_MS, stop.signal)
      }
    }
  }
  /** A machine for a declared Node, as soon as it has an address. One with an identity of its own has its machine. */
  const provision = async (name: string): Promise<void> => {
    const now = running
    const object = now?.store.get('Node', name)
    const address = object && now?.authority.allocator.addressOf(object.metadata.uid)
    if (!now || !object || !address) return
    names.set(address, name)
    if (object.spec.identity || agents.has(name)) return
    const agent = fakeAgent({ clock, transport: network.transport(), random, capacity: options.capacity })
    agents.set(name, agent)
    options.script?.(name, agent)
    const { allocator, registry, keys } = now.authority
    const nodeId = await allocator.nodeId(object.metadata.uid, name)
    await registry.enrol(name, nodeId, agent.identity(), 'simulated')
    const bundle = await firstBundle(name, now)
    await agent.import(armorBundle(bundle), fingerprint(keys.keys.signing.publicKey))
    await agent.start()
  }
  const start = async (): Promise<void> => {
    const stop = new AbortController()
    const store = memoryStore({ clock, random, state })
    store.apply(...declared.values())
    const authority = await startAuthority(
      {
        store,
        events: {
          record: (o, type, reason, message) =>
            void events.push({ key: keyOf(o.kind as Kind, o.name, o.namespace), type, reason, message }),
        },
        files: memoryFiles(files),
        transport: network.transport(),
        clock,
        random,
        log: options.log ?? silentLogger(),
      },
      stop.signal,
    )
    running = { stop, authority, store }
    // An authority that is killed meanwhile leaves its machines to the next one.
    const soon = (name: string) => void provision(name).catch(() => agents.delete(name))
    store.subscribe((event) => {
      if (event.type === 'upsert' && event.object.kind === 'Node') soon(event.object.metadata.name)
    })
    for (const node of store.list('Node')) soon(node.metadata.name)
  }
  const kill = (): void => {
    running?.stop.abort(new Error('killed'))
    running = undefined
  }
  const find = (kind: Kind, name: string, namespace?: string) =>
    live().store.get(kind, name, namespace ?? (kind === 'Archive' ? DEFAULT_NAMESPACE : undefined)) as
      | AnyObject
      | undefined
  const all = () => KINDS.filter((k) => k !== 'Pairing').flatMap((k) => live().store.list(k) as AnyObject[])

  const fleet: TestFleet = {
    clock,
    network,
    events,
    files,
    get store() {
      return live().store
    },
    get authority() {
      return live().authority
    },
    agent(name) {
      const agent = agents.get(name)
      if (!agent) throw new Error(`no agent ${name}; there are: ${[...agents.keys()].join(', ') || 'none yet'}`)
      return agent
    },
    apply(...objects) {
      running?.store.apply(...objects)
      remember(objects)
    },
    withdraw(kind, name, namespace) {
      declared.delete(keyOf(kind, name, namespace))
      running?.store.withdraw(kind, name, namespace)
    },
    object: find,
    conditions: (kind, name, namespace) =>
      Object.fromEntries(
        conditionsOf(find(kind, name, namespace)).map(({ type, status, reason, message }) => [
          type,
          { status, reason, message },
        ]),
      ),
    commandsSent: (sinceMs = 0) =>
      sentCommands(network.datagrams, (address) => names.get(address) ?? address).filter((c) => c.atMs >= sinceMs),
    advance: (ms) => clock.advance(ms),
    async until(done, withinMs = WITHIN_MS) {
      for (let passed = 0; passed < withinMs && !done(); passed += STEP_MS) await clock.advance(STEP_MS)
      if (done()) return
      const waiting = all()
        .map((o) => ({ name: `${o.kind}/${o.metadata.name}`, ready: readyOf(o) }))
        .filter(({ ready }) => ready?.status !== 'True')
        .map(
          ({ name, ready }) => `${name}: ${ready ? `${ready.status} ${ready.reason}: ${ready.message}` : 'no status'}`,
        )
      throw new Error(`not within ${withinMs} ms of virtual time; not Ready:\n${waiting.join('\n')}`)
    },
    untilReady: (withinMs) =>
      fleet.until(
        () =>
          all().every((o) => readyOf(o)?.status === 'True' && readyOf(o)?.observedGeneration === o.metadata.generation),
        withinMs,
      ),
    killAuthority: kill,
    startAuthority: start,
    async stop() {
      kill()
      for (const agent of agents.values()) await agent.stop()
      await clock.settle()
    },
  }
  remember(options.folder === undefined ? [] : readFolder(options.folder))
  remember(options.objects ?? [])
  await start()
  return fleet
}
