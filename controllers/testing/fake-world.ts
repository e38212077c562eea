// All ports of a controller, in memory, each just true to its contract; what was asked of them can be read back.
import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { silentLogger } from '../../base/log.ts'
import type { BundleContent } from '../../protocol/bundle/document.ts'
import type { ArchiveId, AuthorityId, Digest, FencingEpoch, NodeId, Sequence, Slot, Term } from '../../protocol/ids.ts'
import type { NodeReport } from '../../protocol/telemetry/report.ts'
import { type VirtualClock, virtualClock } from '../../testing/virtual-clock.ts'
import type { Allocator, Placement } from '../ports/allocator.ts'
import type { BundleState, Bundles, WantedContent } from '../ports/bundles.ts'
import type { Ceremonies, CeremonyView, OpenCeremony } from '../ports/ceremonies.ts'
import type { Commands, WantedCommand } from '../ports/commands.ts'
import type { Fleet, NodeView } from '../ports/fleet.ts'
import type { Enrolment, Registry } from '../ports/registry.ts'
import type { World } from '../ports/world.ts'
import { type FakeState, type FakeStore, fakeStore } from './fake-store.ts'

/** 32 hex digits made of a name, the same every time. */
export function fakeId(name: string): string {
  return createHash('sha256').update(name).digest('hex').slice(0, 32)
}

/** A public key's form, made of a name. */
export function fakeKey(name: string): string {
  return createHash('sha256').update(name).digest('base64')
}

export function fakeIdentity(name: string) {
  return {
    wireguardPublicKey: fakeKey(`${name} wireguard`),
    commandPublicKey: fakeKey(`${name} command`),
    signingPublicKey: fakeKey(`${name} signing`),
  }
}

interface FakeFleet extends Fleet {
  /** Telemetry comes in: the node is Fresh, its report as given over an empty one. */
  hear(node: string, report?: Partial<NodeReport>): void
  set(view: NodeView): void
  setSuperseded(superseded: boolean): void
}

interface FakeBundles extends Bundles {
  /** Every call that changed something, in order. */
  published: { node: string; content: WantedContent }[]
  withdrawn: string[]
  force(node: string, state: Partial<BundleState>): void
}

interface FakeCommands extends Commands {
  /** Wanted now, by scope. */
  wanted: Map<string, { node: string; commands: readonly WantedCommand[] }>
  sent(node: string, op: number, slot: number, value: number): void
}

interface RecordedEvent {
  object: string
  type: string
  reason: string
  message: string
}

interface FakeCeremonies extends Ceremonies {
  /** By the Pairing's uid. */
  opened: Map<string, OpenCeremony>
  /** `UID REASON`, in order. */
  closed: string[]
  /** Something happens on a line. */
  see(uid: string, view: Partial<CeremonyView>): void
}

export interface FakeWorld extends World {
  clock: VirtualClock
  store: FakeStore
  fleet: FakeFleet
  bundles: FakeBundles
  commands: FakeCommands
  registry: Registry & { retired: string[] }
  ceremonies: FakeCeremonies
  recorded: RecordedEvent[]
  setBrake(set: boolean): void
  /** Puts a Node with keys of its own. */
  node(name: string, spec?: object): void
  /** The node runs the bundle wanted for it, and says so. */
  apply(node: string, report?: Partial<NodeReport>): void
}

const emptyReport: NodeReport = {
  agentVersion: '0.1.0',
  reads: { bundle: [1], ops: [1, 2, 3, 4, 5, 6, 7, 8] },
  bundles: {},
  marks: [],
  marksLost: false,
  bundleLost: false,
  clockSynchronised: true,
  wallClockMs: 0,
  isolated: false,
  peers: [],
  capacity: { memoryMiB: 8192, cpus: 4 },
  usage: { memoryFreeMiB: 4096, pressure: 'None' },
  pendingKeys: {},
  refusals: {},
  archives: [],
  releases: [],
  retainedDisks: [],
} as unknown as NodeReport

function listenersOf() {
  const listeners = new Set<(node: string) => void>()
  return {
    tell: (node: string) => {
      for (const listener of [...listeners]) listener(node)
    },
    subscribe: (listener: (node: string) => void) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}

function fakeFleet(clock: VirtualClock): FakeFleet {
  const views = new Map<string, NodeView>()
  const { tell, subscribe } = listenersOf()
  let superseded = false
  const set = (view: NodeView) => {
    views.set(view.node, view)
    tell(view.node)
  }
  return {
    view: (node) => views.get(node) ?? { node, liveness: 'Unheard' },
    views: () => [...views.values()],
    subscribe,
    superseded: () => superseded,
    set,
    hear(node, report = {}) {
      const before = views.get(node)?.report ?? emptyReport
      set({
        node,
        liveness: 'Fresh',
        lastHeardMs: clock.now(),
        bootId: fakeId(`boot ${node}`),
        term: 1 as Term,
        report: { ...before, ...report },
      })
    },
    setSuperseded(now) {
      superseded = now
    },
  }
}

function fakeDigest(content: unknown): Digest {
  return createHash('sha256').update(JSON.stringify(content)).digest('hex') as Digest
}

function fakeBundles(fleet: Fleet): FakeBundles {
  const wanted = new Map<string, { content: WantedContent; revision: number }>()
  const forced = new Map<string, Partial<BundleState>>()
  const published: FakeBundles['published'] = []
  const withdrawn: string[] = []
  const { tell, subscribe } = listenersOf()
  let revision = 0
  return {
    published,
    withdrawn,
    subscribe,
    force(node, state) {
      forced.set(node, state)
      tell(node)
    },
    want(node, content) {
      if (isDeepStrictEqual(wanted.get(node)?.content, content)) return
      wanted.set(node, { content, revision: ++revision })
      published.push({ node, content })
      tell(node)
    },
    withdraw(node) {
      if (wanted.delete(node)) withdrawn.push(node)
    },
    state(node) {
      const want = wanted.get(node)
      if (!want) return { stage: 'None', held: false }
      const digest = fakeDigest(want.content)
      const { liveness, report } = fleet.view(node)
      const { applied, staged } = (liveness === 'Fresh' && report?.bundles) || {}
      const stage = applied?.digest === digest ? 'Applied' : staged?.digest === digest ? 'Staged' : 'Pending'
      return { ...want, revision: want.revision as never, digest, stage, held: false, ...forced.get(node) }
    },
    retry: (node) => void forced.delete(node),
  }
}

function fakeCommands(): FakeCommands {
  const wanted: FakeCommands['wanted'] = new Map()
  const last = new Map<string, number>()
  return {
    wanted,
    sent: (node, op, slot, value) => void last.set(`${node} ${op} ${slot}`, value),
    want(scope, node, commands) {
      if (commands.length > 0) wanted.set(scope, { node, commands })
      else wanted.delete(scope)
    },
    pending: (node) =>
      [...wanted.values()]
        .filter((w) => w.node === node)
        .flatMap((w) => w.commands.map((command) => ({ ...command, state: 'Sent' as const }))),
    lastSent: (node, op, slot) => last.get(`${node} ${op} ${slot}`),
  }
}

/** Lowest free host address of a /24; quarantine for ever; slots from 1. */
function fakeAllocator(clock: VirtualClock, state: FakeAllocation): Allocator {
  const { addresses, placements, released } = state
  const holder = (address: string) =>
    [...addresses].find(([, held]) => held.address === address && held.state === 'Held')
  let edition = 0
  return {
    nodeId: async (_uid, name) => fakeId(name) as NodeId,
    nodeIdIfAny: (uid) => {
      const name = addresses.get(uid)?.name
      return name === undefined ? undefined : (fakeId(name) as NodeId)
    },
    addressOf: (uid) => {
      const held = addresses.get(uid)
      return held?.state === 'Held' ? held.address : undefined
    },
    addressEdition: () => edition,
    holderOf(address) {
      const found = holder(address)
      return found && { nodeUid: found[0], nodeName: found[1].name }
    },
    async claimAddress({ uid, name }, cidr, wanted, avoid = new Set()) {
      const prefix = cidr.replace(/[0-9]+\/.*/, '')
      const own = [...addresses].find(([other, held]) => other === uid || held.name === name)
      const taken = (address: string) =>
        [...addresses.values()].find((held) => held.address === address && held.name !== name)
      const hosts = Array.from({ length: 254 }, (_, i) => `${prefix}${i + 1}`)
      const address = wanted ?? own?.[1].address ?? hosts.find((host) => !taken(host) && !avoid.has(host))
      if (address !== undefined && !address.startsWith(prefix))
        return { ok: false, reason: 'OutsideMesh', message: `${address} is not inside ${cidr}` }
      if (address === undefined) return { ok: false, reason: 'Exhausted', message: `no address of ${cidr} is free` }
      const other = taken(address)
      if (other) {
        const reason = other.state === 'Held' ? 'AddressTaken' : 'AddressQuarantined'
        return { ok: false, reason, holder: other.name, message: `${address} is ${other.name}’s` }
      }
      edition++
      if (own) addresses.delete(own[0])
      addresses.set(uid, { name, address, state: 'Held' })
      return { ok: true, address }
    },
    async releaseAddress(uid) {
      const held = addresses.get(uid)
      edition++
      if (held) addresses.set(uid, { ...held, state: 'Quarantined' })
    },
    placement: (uid) => placements.get(uid),
    placementsOn: (node) => [...placements.values()].filter((p) => p.node === node),
    async place({ uid, key, node, floorMiB, maxMiB }) {
      const before = placements.get(uid)
      const taken = [...placements.values(), ...released].filter((p) => p.node === node).map((p) => p.slot)
      const slot =
        before?.slot ?? (Array.from({ length: 255 }, (_, i) => i + 1).find((s) => !taken.includes(s as Slot)) as Slot)
      const placement: Placement = {
        archiveUid: uid,
        archiveKey: key,
        id: fakeId(key) as ArchiveId,
        node,
        slot,
        fencingEpoch: 1 as FencingEpoch,
        minSequence: { term: 0 as Term, sequence: 0 as Sequence },
        admittedMs: clock.now(),
        ...before,
        floorMiB,
        maxMiB,
      }
      placements.set(uid, placement)
      return { ok: true, placement }
    },
    async releasePlacement(uid) {
      const placement = placements.get(uid)
      if (!placement) return
      placements.delete(uid)
      released.push(placement)
    },
    releasedSlots: (node) =>
      released.filter((p) => p.node === node).map(({ slot, archiveUid, id }) => ({ slot, archiveUid, id })),
    async freeSlot(node, slot) {
      const at = released.findIndex((p) => p.node === node && p.slot === slot)
      if (at >= 0) released.splice(at, 1)
    },
    async takeOver(uid, found) {
      const placement = placements.get(uid)
      if (!placement) return
      released.push(placement)
      placements.set(uid, { ...placement, ...found })
    },
    nextEpoch: async (uid) => ((placements.get(uid)?.fencingEpoch ?? 0) + 1) as FencingEpoch,
  }
}

function fakeRegistry(lines: Map<string, Enrolment>): FakeWorld['registry'] {
  const retired: string[] = []
  const ended = new Map<string, Enrolment>()
  const { tell, subscribe } = listenersOf()
  return {
    retired,
    subscribe,
    of: (node) => lines.get(node),
    list: () => [...lines.values()],
    async enrol(node, nodeId, identity, how, confirmedBy, replacing) {
      const held = lines.get(node)
      const differs = held !== undefined && !isDeepStrictEqual(held.identity, identity)
      if (differs && replacing === undefined)
        return { ok: false, reason: 'IdentityDiffers', message: `${node} is enrolled with other keys` }
      const keys = new Set(Object.values(identity))
      const other = [...lines.values()].find(
        (one) => one.node !== node && Object.values(one.identity).some((k) => keys.has(k)),
      )
      if (other)
        return { ok: false, reason: 'KeyEnrolledElsewhere', message: `a key of ${node} is enrolled for ${other.node}` }
      if (differs) {
        lines.delete(node)
        ended.set(node, held)
        retired.push(node)
      }
      const before = lines.get(node)
      const enrolmentId = fakeId(`enrolment ${node}`) as never
      const enrolment = before ?? { node, nodeId, enrolmentId, identity, how, ...(confirmedBy && { confirmedBy }) }
      lines.set(node, enrolment)
      if (!before) tell(node)
      return { ok: true, enrolment }
    },
    ended: (node) => ended.get(node),
    async retire(node) {
      const gone = lines.get(node)
      if (!gone) return
      lines.delete(node)
      ended.set(node, gone)
      retired.push(node)
      tell(node)
    },
    head: () => ({ count: lines.size + 2 * retired.length, hash: '0'.repeat(64) }),
  }
}

function fakeCeremonies(): FakeCeremonies {
  const opened = new Map<string, OpenCeremony>()
  const views = new Map<string, CeremonyView>()
  const { tell, subscribe } = listenersOf()
  const fake: FakeCeremonies = {
    opened,
    closed: [],
    unavailable: () => undefined,
    holder: (rendezvous) => [...opened.values()].find((open) => open.rendezvous === rendezvous)?.uid,
    open: (ceremony) => void opened.set(ceremony.uid, ceremony),
    close(uid, reason) {
      if (opened.delete(uid)) fake.closed.push(`${uid} ${reason}`)
    },
    view: (uid) => views.get(uid) ?? { failures: 0, exchanging: false },
    see(uid, view) {
      views.set(uid, { failures: 0, exchanging: false, ...view })
      tell(uid)
    },
    subscribe,
  }
  return fake
}

interface FakeAllocation {
  addresses: Map<string, { name: string; address: string; state: 'Held' | 'Quarantined' }>
  placements: Map<string, Placement>
  released: Placement[]
}

/** What outlives a restart. */
export interface FakeDurable extends FakeAllocation {
  store: FakeState
  lines: Map<string, Enrolment>
}

export function fakeDurable(): FakeDurable {
  return {
    store: { objects: new Map(), records: new Map(), committed: new Set() },
    lines: new Map(),
    addresses: new Map(),
    placements: new Map(),
    released: [],
  }
}

export function fakeWorld(durable: FakeDurable = fakeDurable(), clock: VirtualClock = virtualClock()): FakeWorld {
  const store = fakeStore(clock, durable.store)
  const fleet = fakeFleet(clock)
  const bundles = fakeBundles(fleet)
  const recorded: RecordedEvent[] = []
  let braked = false
  const world: FakeWorld = {
    clock,
    log: silentLogger(),
    store,
    fleet,
    bundles,
    commands: fakeCommands(),
    allocator: fakeAllocator(clock, durable),
    registry: fakeRegistry(durable.lines),
    ceremonies: fakeCeremonies(),
    authority: {
      keys: () => [
        {
          id: fakeId('authority') as AuthorityId,
          commandPublicKey: fakeKey('authority command'),
          signingPublicKey: fakeKey('authority signing'),
        },
      ],
      operatorKey: () => fakeKey('operator'),
      meshEpochMs: () => Date.UTC(2026, 0, 1),
      term: () => 1,
      revision: () => bundles.published.length,
      brake: () => (braked ? { set: true, reason: 'a person set it' } : { set: false }),
    },
    events: {
      record: ({ kind, namespace, name }, type, reason, message) =>
        void recorded.push({
          object: [kind, namespace, name].filter((part) => part !== undefined).join('/'),
          type,
          reason,
          message,
        }),
    },
    recorded,
    setBrake(set) {
      braked = set
    },
    node(name, spec = {}) {
      store.put('Node', name, { role: 'spoke', site: 'onprem', identity: fakeIdentity(name), ...spec })
    },
    apply(node, report = {}) {
      const { digest, revision, content } = bundles.state(node)
      if (digest === undefined || !content) throw new Error(`no bundle is wanted for ${node}`)
      const peers = (content as BundleContent).peers.map((peer) => ({
        nodeId: peer.nodeId,
        name: peer.name,
        publicKey: peer.publicKey,
        path: 'Direct' as const,
        reason: 'Handshake',
        allowedIPs: peer.allowedIPs,
        rxBytes: 0,
        txBytes: 0,
      }))
      const applied = { term: 1 as Term, revision: revision as never, digest }
      fleet.hear(node, { peers, ...report, bundles: { applied } })
    },
  }
  return world
}
