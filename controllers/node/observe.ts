// Everything the plan of a Node looks at, read from the ports; changes nothing.
import { isDeepStrictEqual } from 'node:util'
import type { Kind } from '../../api/meta.ts'
import type { PpnObject } from '../../api/v1alpha1/index.ts'
import { OP } from '../../protocol/command/ops.ts'
import type { NodeId, Slot } from '../../protocol/ids.ts'
import type { Lifecycle } from '../../protocol/telemetry/report.ts'
import { newcomerOrder } from '../admission/order.ts'
import { freeSlots } from '../archive/slots.ts'
import type { Entries } from '../bundle/archives.ts'
import { authorityNodeNames, type Member, memberOf, severLeadMs } from '../bundle/members.ts'
import { wantedBundle } from '../bundle/wanted.ts'
import { channelOf } from '../common/channel.ts'
import type { AddressClaimant, Answers } from '../common/effects.ts'
import { isPaused } from '../common/status.ts'
import { teardownBegun } from '../common/teardown.ts'
import type { ControllerWorld, Hold } from '../common/world.ts'
import { type EffectiveMesh, effectiveMesh } from '../mesh/effective.ts'
import { movesOn } from '../move/record.ts'
import type { AddressResult } from '../ports/allocator.ts'
import type { BundleState, WantedContent } from '../ports/bundles.ts'
import type { PendingCommand } from '../ports/commands.ts'
import type { NodeView } from '../ports/fleet.ts'
import type { Enrolment, EnrolResult } from '../ports/registry.ts'
import { type Severed, severedFact } from './severed.ts'

export type NodeObject = PpnObject<'Node'>

/** What one hub shows of a peer that is to go. */
interface HubWitness {
  name: string
  fresh: boolean
  /** Its applied bundle is the wanted one. */
  applied: boolean
  listsPeer: boolean
  /** The bundle wanted for it still has the peer. */
  wantsPeer: boolean
}

/** Something that keeps a node from being deleted. */
interface Occupant {
  name: string
  /** It is being deleted itself. */
  leaving: boolean
}

export interface NodeObserved {
  nowMs: number
  /** Since the controllers began. */
  runningMs: number
  hold: Hold | undefined
  begun: boolean
  /** What is left of SEVER's lead over the peers' bundles. */
  leadMs: number
  mesh: EffectiveMesh
  /** spec.mesh names a Mesh object, be it served or not. */
  meshDeclared: boolean
  /** One of `authorityNodes`, or the first hub by default. */
  authorityNode: boolean
  address: string | undefined
  claim: AddressResult | undefined
  /** Those without an address that come before this node, in order, and then itself. */
  claimants: (AddressClaimant & { wanted?: string })[]
  /** Every declared address, when one is claimed; not to be given to anyone else by choice. */
  avoid: string[]
  enrolment: Enrolment | undefined
  enrol: EnrolResult | undefined
  member: Member | undefined
  /** undefined: no bundle can be made yet. */
  content: WantedContent | undefined
  /** The publisher already wants exactly `content`. */
  published: boolean
  publishedThisRun: boolean
  freeze: Entries['freeze']
  bundle: BundleState
  view: NodeView
  channel: 'open' | 'Braked' | 'Superseded'
  lastIsolateSent: number | undefined
  /** Released slots that telemetry shows gone. */
  freeSlots: Slot[]
  /** ISOLATE and SEVER wanted so far. */
  pending: PendingCommand[]
  occupants: Occupant[]
  /** Every other Node; looked up only for a tombstone, and once an address was asked for. */
  others: string[]
  /** Hubs that stay. */
  otherHubs: HubWitness[]
  orphanRecorded: boolean
  /** A person took it off the mesh. */
  severed: Severed | undefined
  /** Its last enrolment that has ended. */
  ended: Enrolment | undefined
}

const NODE_SLOT = 0 as Slot

export async function observeNode(world: ControllerWorld, node: NodeObject, answers: Answers): Promise<NodeObserved> {
  const { name, uid } = node.metadata
  const { allocator, registry, commands, bundles, fleet, clock, store } = world
  const { hubs } = world.membership()
  const mesh = effectiveMesh(world)
  const member = memberOf(world, node)
  const begun = teardownBegun(store.records, uid)
  const severed = severedFact(store.records, uid)
  const ended = registry.ended(name)
  const wanted = begun ? undefined : wantedBundle(world, member)
  const bundle = bundles.state(name)
  const claimants = claimantsUpTo(world, node, mesh.name)
  return {
    nowMs: clock.now(),
    runningMs: clock.monotonic() - world.startedMs,
    hold: begun ? undefined : await world.holds.isHeld(node),
    begun,
    leadMs: severLeadMs(world, uid),
    mesh,
    meshDeclared: store.get('Mesh', node.spec.mesh) !== undefined,
    authorityNode: authorityNodeNames(mesh.spec.authorityNodes, hubs).includes(name),
    address: allocator.addressOf(uid),
    claim: answers.claim,
    claimants,
    avoid: claimants.length === 0 ? [] : declaredAddresses(world),
    enrolment: registry.of(name),
    enrol: answers.enrol,
    member,
    content: wanted?.content,
    published: wanted !== undefined && isDeepStrictEqual(bundle.content, wanted.content),
    publishedThisRun: answers.published ?? false,
    freeze: wanted?.freeze ?? [],
    bundle,
    view: fleet.view(name),
    channel: channelOf(world),
    freeSlots: freeSlots(allocator.releasedSlots(name), bundle, fleet.view(name)),
    lastIsolateSent: commands.lastSent(name, OP.ISOLATE, NODE_SLOT),
    pending: commands.pending(name).filter(({ op }) => op === OP.ISOLATE || op === OP.SEVER),
    occupants: occupantsOf(world, node),
    others: isLive(node) && !answers.claim ? [] : namesBut(world, name),
    otherHubs: witnesses(world, name, member?.nodeId ?? (severed && ended?.nodeId), hubs),
    orphanRecorded: store.records.get(`orphan/${name}`) !== undefined,
    severed,
    ended,
  }
}

const declaredAddresses = (world: ControllerWorld): string[] =>
  world.index.nodes().flatMap((other) => (isLive(other) ? (other.spec.address ?? []) : []))

const namesBut = (world: ControllerWorld, name: string): string[] =>
  world.index.nodes().flatMap(({ metadata }) => (metadata.name === name ? [] : metadata.name))

const isLive = (object: PpnObject<Kind>): boolean => object.metadata.deletionTimestamp === undefined

/**
 * Newcomers get their addresses in the order of admission, whichever of them happens to be reconciled first: a node
 * claims for those before it, then for itself.
 */
function claimantsUpTo(world: ControllerWorld, node: NodeObject, meshName: string): NodeObserved['claimants'] {
  const lacks = (other: NodeObject): boolean => {
    const held = world.allocator.addressOf(other.metadata.uid)
    return held === undefined || (other.spec.address !== undefined && other.spec.address !== held)
  }
  if (!lacks(node)) return []
  return world.index
    .nodes()
    .filter((other) => isLive(other) && !isPaused(other) && lacks(other) && other.spec.mesh === meshName)
    .filter((other) => newcomerOrder(other, node) <= 0)
    .sort(newcomerOrder)
    .map(({ metadata: { uid, name }, spec }) => ({
      uid,
      name,
      hub: spec.role === 'hub',
      ...(spec.address !== undefined && { wanted: spec.address }),
    }))
}

/** Without these there is no VM process. */
const NO_VM: readonly Lifecycle[] = ['Absent', 'Stopped', 'Removed', 'Failed']

/** Archives that name the node, have a place on it or are on their way from it, and VMs that fresh telemetry shows there. */
function occupantsOf(world: ControllerWorld, node: NodeObject): Occupant[] {
  const { name } = node.metadata
  if (isLive(node)) return []
  const found = new Map<string, Occupant>()
  const add = (archive: PpnObject<'Archive'>) => {
    const label = `${archive.metadata.namespace}/${archive.metadata.name}`
    found.set(label, { name: label, leaving: !isLive(archive) })
  }
  for (const archive of world.index.archivesNaming(name)) add(archive)
  // Its copy is the only whole one until the move has landed.
  const leaving = movesOn(world.store.records, name).filter((m) => m.from.node === name && m.phase !== 'cleaning')
  for (const { archiveUid } of [...world.allocator.placementsOn(name), ...leaving.map((move) => move.from)]) {
    const archive = world.index.archiveByUid(archiveUid)
    if (archive) add(archive)
  }
  const { liveness, report } = world.fleet.view(name)
  for (const vm of liveness === 'Fresh' ? (report?.archives ?? []) : []) {
    const label = `${vm.namespace}/${vm.name}`
    if (!NO_VM.includes(vm.lifecycle) && !found.has(label)) found.set(label, { name: label, leaving: false })
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Nobody has to witness what was never a peer. */
function witnesses(
  world: ControllerWorld,
  name: string,
  nodeId: NodeId | undefined,
  hubs: readonly Member[],
): HubWitness[] {
  if (nodeId === undefined) return []
  return hubs
    .filter((hub) => hub.name !== name)
    .map(({ name }) => {
      const { liveness, report } = world.fleet.view(name)
      const { digest, content } = world.bundles.state(name)
      const applied = digest !== undefined && report?.bundles.applied?.digest === digest
      const listsPeer = report?.peers.some((peer) => peer.nodeId === nodeId) ?? true
      const wantsPeer = content?.peers.some((peer) => peer.nodeId === nodeId) ?? false
      return { name, fresh: liveness === 'Fresh', applied, listsPeer, wantsPeer }
    })
}
