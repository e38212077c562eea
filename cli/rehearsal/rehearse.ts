// What would come of a declaration, found by doing it: the real controllers and the real allocator over a copy of the
// accepted state and machines that obey at once. First the accepted objects come to rest; whatever goes out after the
// new declaration is its consequence. Nothing outside this process is touched.
import { createHash } from 'node:crypto'
import { API_VERSION, KINDS, type Kind, keyOf, type ObjectKey } from '../../api/meta.ts'
import type { AnyObject, PpnObject } from '../../api/v1alpha1/index.ts'
import { createAllocator } from '../../authority/allocation/allocator.ts'
import { silentLogger } from '../../base/log.ts'
import type { RandomBytes } from '../../base/random.ts'
import type { Hold } from '../../controllers/common/world.ts'
import { buildControllers } from '../../controllers/index.ts'
import type { WantedContent } from '../../controllers/ports/bundles.ts'
import type { Ceremonies } from '../../controllers/ports/ceremonies.ts'
import type { Enrolment, Registry } from '../../controllers/ports/registry.ts'
import type { SourceProblem, StoredRecord } from '../../controllers/ports/store.ts'
import type { World } from '../../controllers/ports/world.ts'
import type { AuthorityId, EnrolmentId, NodeId, Sequence, Term } from '../../protocol/ids.ts'
import type { StoredObject } from '../../stores/common/stored.ts'
import { memoryState } from '../../stores/memory/state.ts'
import { memoryStore } from '../../stores/memory/store.ts'
import { rehearsalClock } from './clock.ts'
import { rehearsalFleet, type SentCommand } from './fleet.ts'
import { runs } from './run.ts'

export interface Accepted {
  objects: readonly AnyObject[]
  records: readonly StoredRecord[]
}

/** Where things are; for a node its address, for an archive its slot. */
export interface Standing {
  addresses: ReadonlyMap<string, string>
  places: ReadonlyMap<ObjectKey, { node: string; slot: number }>
  contents: ReadonlyMap<string, WantedContent>
}

export interface Consequences {
  before: Standing
  after: Standing
  sent: SentCommand[]
  /** Tombstones that would wait for a person (law 3). */
  holds: Hold[]
  /** Objects as they would stand in the end. */
  objects: AnyObject[]
  /** What the declaration is refused for, given what is accepted: a changed immutable field, for instance. */
  problems: readonly SourceProblem[]
}

export interface RehearseOptions {
  accepted: Accepted
  declared: readonly AnyObject[]
  nowMs: number
  random: RandomBytes
}

const hash = (text: string) => createHash('sha256').update(text)
const idOf = (text: string) => hash(text).digest('hex').slice(0, 32)
const publicKeyOf = (text: string) => hash(text).digest('base64')

/** An act (Pairing) is no part of a folder's declaration. */
const isDeclared = (object: AnyObject) => object.kind !== 'Pairing'

/** The object as its author would write it, with every default spelt out. */
function document({ kind, metadata, spec }: AnyObject): Record<string, unknown> {
  const { name, namespace, labels, annotations } = metadata
  return { apiVersion: API_VERSION, kind, metadata: { name, namespace, labels, annotations }, spec }
}

function stored(object: AnyObject): StoredObject {
  return { object, raw: object.spec, origin: 'source', committed: false }
}

/** Every node without keys of its own has those of a machine that somebody has set up. */
function machinesSetUp(
  nodes: () => readonly PpnObject<'Node'>[],
  nodeId: (uid: string) => NodeId | undefined,
): Registry {
  const declared = new Map<string, Enrolment>()
  const retired = new Set<string>()
  const of = (node: string): Enrolment | undefined => {
    const object = nodes().find((n) => n.metadata.name === node)
    if (declared.has(node) || retired.has(node) || !object || object.spec.identity) return declared.get(node)
    return {
      node,
      nodeId: nodeId(object.metadata.uid) ?? (idOf(`node ${node}`) as NodeId),
      enrolmentId: idOf(`enrolment ${node}`) as EnrolmentId,
      identity: {
        wireguardPublicKey: publicKeyOf(`wireguard ${node}`),
        commandPublicKey: publicKeyOf(`command ${node}`),
        signingPublicKey: publicKeyOf(`signing ${node}`),
      },
      how: 'simulated',
    }
  }
  return {
    of,
    list: () => nodes().flatMap((n) => of(n.metadata.name) ?? []),
    async enrol(node, id, identity, how) {
      const enrolment: Enrolment = { node, nodeId: id, enrolmentId: idOf(`enrolment ${node}`), identity, how }
      declared.set(node, enrolment)
      return { ok: true, enrolment }
    },
    async retire(node) {
      declared.delete(node)
      retired.add(node)
    },
    ended: () => undefined,
    head: () => ({ count: 0, hash: '0'.repeat(64) }),
    subscribe: () => () => {},
  }
}

export async function rehearse({ accepted, declared, nowMs, random }: RehearseOptions): Promise<Consequences> {
  const clock = rehearsalClock(nowMs)
  const state = memoryState()
  const old = accepted.objects.filter(isDeclared)
  state.objects.write(old.map(stored), [], old.length, true)
  state.records.write([...accepted.records], [], Math.max(0, ...accepted.records.map((r) => r.version)))
  const store = memoryStore({ clock, random, state })
  const allocator = createAllocator({
    records: store.records,
    clock,
    random,
    ceiling: () => ({ term: 0 as Term, sequence: 0 as Sequence }),
  })
  const { fleet, bundles, commands, takeSent, contents } = rehearsalFleet((node) => {
    const { capacity, retainedDisks } = store.get('Node', node)?.status ?? {}
    return { capacity, ...(retainedDisks && { retainedDisks: retainedDisks as never }) }
  })
  // A rehearsal lets nobody in; Pairings are acts of a person, not of the folder.
  const noCeremonies: Ceremonies = {
    unavailable: () => 'this is a rehearsal',
    holder: () => undefined,
    open: () => {},
    close: () => {},
    view: () => ({ failures: 0, exchanging: false }),
    subscribe: () => () => {},
  }
  const world: World = {
    clock,
    log: silentLogger(),
    store,
    fleet,
    bundles,
    commands,
    allocator,
    ceremonies: noCeremonies,
    registry: machinesSetUp(() => store.list('Node'), allocator.nodeIdIfAny),
    authority: {
      keys: () => [
        {
          id: idOf('authority') as AuthorityId,
          commandPublicKey: publicKeyOf('command'),
          signingPublicKey: publicKeyOf('signing'),
        },
      ],
      operatorKey: () => publicKeyOf('operator'),
      meshEpochMs: () => 0,
      term: () => 1,
      revision: () => 0,
      brake: () => ({ set: false }),
    },
    events: { record: () => {} },
  }
  const driver = runs(clock)
  const controllers = buildControllers(world, driver.enqueue)
  const ending = new AbortController()
  const settle = () => driver.settle(controllers.specs, old.length + declared.length)
  const all = () => KINDS.flatMap((kind: Kind) => store.list(kind) as AnyObject[])
  const standing = (): Standing => {
    const places = store.list('Archive').flatMap(({ metadata: { uid, name, namespace } }) => {
      const placement = allocator.placement(uid)
      return placement
        ? [[keyOf('Archive', name, namespace), { node: placement.node, slot: placement.slot }] as const]
        : []
    })
    const addresses = store.list('Node').flatMap(({ metadata: { uid, name } }) => {
      const address = allocator.addressOf(uid)
      return address === undefined ? [] : [[name, address] as const]
    })
    return { addresses: new Map(addresses), places: new Map(places), contents: contents() }
  }
  try {
    controllers.wire(ending.signal)
    const living = old.filter((object) => object.metadata.deletionTimestamp === undefined)
    store.declare('folder', living.map(document))
    await store.start(ending.signal)
    await settle()
    takeSent()
    const before = standing()
    store.declare('folder', declared.filter(isDeclared).map(document))
    await settle()
    return {
      before,
      after: standing(),
      sent: takeSent(),
      holds: controllers.holds.list(),
      objects: all(),
      problems: store.health().problems,
    }
  } finally {
    ending.abort()
    await store.close()
  }
}
