// The members of the mesh, made anew only after one of them changed: every reconcile of every node asks.
import type { ControllerWorld } from '../common/world.ts'
import { hubsOf, type Member, membersOf, ORPHANS } from './members.ts'

export interface Membership {
  /** In the order of their names. */
  members: readonly Member[]
  /** In the order in which spokes try them. */
  hubs: readonly Member[]
  byName: ReadonlyMap<string, Member>
}

export function memberships(world: () => ControllerWorld): () => Membership {
  let known: { membership: Membership; nodes: number; addresses: number; registry: number } | undefined

  return () => {
    const { index, allocator, registry, store } = world()
    const now = { nodes: index.edition(), addresses: allocator.addressEdition(), registry: registry.head().count }
    // A node that leaves is a member until an instant, and what is orphaned is a record: both are rare, and looked at.
    const steady = index.leavingNodes().length === 0 && store.records.list(ORPHANS).length === 0
    if (steady && known?.nodes === now.nodes && known.addresses === now.addresses && known.registry === now.registry)
      return known.membership
    const members = membersOf(world())
    const membership = { members, hubs: hubsOf(members), byName: new Map(members.map((one) => [one.name, one])) }
    known = steady ? { membership, ...now } : undefined
    return membership
  }
}
