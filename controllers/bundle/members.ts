// Who is on the mesh, as bundles see it.
import type { PpnObject } from '../../api/v1alpha1/index.ts'
import type { NodeSpec } from '../../api/v1alpha1/node.ts'
import type { NodeId } from '../../protocol/ids.ts'
import { teardownBegun, teardownBegunMs } from '../common/teardown.ts'
import type { ControllerWorld } from '../common/world.ts'
import type { RecordStore } from '../ports/store.ts'

/** A node that has an address and keys, and so is a peer. */
export interface Member {
  name: string
  nodeId: NodeId
  address: string
  role: NodeSpec['role']
  endpoint?: string
  wireguardPublicKey: string
  /** That is not the key it enrolled with, so its own bundle names it. */
  rekeyed?: boolean
}

/**
 * How long a node being severed stays a peer: SEVER goes three times within 300 ms (section 7.1) over the very tunnel
 * that the hub then drops.
 */
export const SEVER_LEAD_MS = 500

export const ORPHANS = 'orphan/'

/** A node deleted with Orphan stays a peer, for its deletion touches no machine; `orphan/<name>` remembers it. */
export const orphanRecord = (name: string): string => ORPHANS + name

function orphans(records: RecordStore): Member[] {
  return records.list(ORPHANS).map((record) => record.value as Member)
}

export function memberOf(world: ControllerWorld, node: PpnObject<'Node'>): Member | undefined {
  const { name, uid } = node.metadata
  const address = world.allocator.addressOf(uid)
  const enrolment = world.registry.of(name)
  if (address === undefined || !enrolment) return undefined
  const { role, endpoint } = node.spec
  const { nodeId, identity, enrolledWith } = enrolment
  const wireguardPublicKey = identity.wireguardPublicKey
  const rekeyed = enrolledWith !== undefined && enrolledWith.wireguardPublicKey !== wireguardPublicKey
  return {
    name,
    nodeId,
    address,
    role,
    ...(endpoint !== undefined && { endpoint }),
    wireguardPublicKey,
    ...(rekeyed && { rekeyed }),
  }
}

/**
 * Members in the order of their names. One authority serves one mesh, so whoever holds an address and keys is one,
 * however its spec is refused: who holds keeps.
 */
export function membersOf(world: ControllerWorld): Member[] {
  const declared = world.index.nodes()
  const names = new Set(declared.map((node) => node.metadata.name))
  const members = declared.filter((node) => !isLeaving(world, node)).flatMap((node) => memberOf(world, node) ?? [])
  const forgotten = orphans(world.store.records).filter((member) => !names.has(member.name))
  if (forgotten.length === 0) return members
  return [...members, ...forgotten].sort((a, b) => (a.name < b.name ? -1 : 1))
}

function isLeaving(world: ControllerWorld, { metadata }: PpnObject<'Node'>): boolean {
  if (metadata.deletionTimestamp === undefined || !teardownBegun(world.store.records, metadata.uid)) return false
  return severLeadMs(world, metadata.uid) === 0
}

/** How long a node being severed stays a peer from now on; all of it when its teardown has not begun. */
export function severLeadMs(world: ControllerWorld, uid: string): number {
  const begunMs = teardownBegunMs(world.store.records, uid)
  if (begunMs === undefined) return SEVER_LEAD_MS
  const passedMs = world.clock.now() - begunMs
  // The wall clock may have jumped back: then the lead is over.
  return passedMs >= 0 && passedMs < SEVER_LEAD_MS ? SEVER_LEAD_MS - passedMs : 0
}

const octets = (address: string): number => address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0)

/** Hubs in the order in which spokes try them: by address, the .1 first. */
export function hubsOf(members: readonly Member[]): Member[] {
  return members.filter((member) => member.role === 'hub').sort((a, b) => octets(a.address) - octets(b.address))
}

/** The nodes beside whose agents an authority runs: as declared, by default the first hub. */
export function authorityNodeNames(declared: readonly string[] | undefined, hubs: readonly Member[]): string[] {
  return declared ? [...declared] : hubs.slice(0, 1).map((hub) => hub.name)
}
