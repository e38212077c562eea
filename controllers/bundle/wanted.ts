// The bundle of one node out of the world as it stands.
import type { ControllerWorld } from '../common/world.ts'
import { effectiveMesh } from '../mesh/effective.ts'
import { poolInForce } from '../pool/in-force.ts'
import type { WantedContent } from '../ports/bundles.ts'
import { archiveEntries, type Entries, pushOrders } from './archives.ts'
import { bundleContent } from './content.ts'
import { authorityNodeNames, type Member } from './members.ts'

export interface WantedBundle {
  content: WantedContent
  freeze: Entries['freeze']
}

/** undefined: the node has no address or no keys yet, or no authority's node has an address to be reached at. */
export function wantedBundle(world: ControllerWorld, own: Member | undefined): WantedBundle | undefined {
  const mesh = effectiveMesh(world)
  const { members, hubs, byName } = world.membership()
  const authorityAddresses = authorityNodeNames(mesh.spec.authorityNodes, hubs).flatMap(
    (name) => byName.get(name)?.address ?? [],
  )
  if (!own || authorityAddresses.length === 0) return undefined
  const inForce = world.bundles.state(own.name).content
  const { entries, freeze } = archiveEntries(world, own.name, inForce?.archives ?? [])
  const content = bundleContent({
    node: own,
    members,
    hubs,
    mesh,
    authorities: world.authority.keys(),
    authorityAddresses,
    operatorKey: world.authority.operatorKey(),
    meshEpochMs: world.authority.meshEpochMs(),
    pool: poolInForce(world, own.name),
    archives: entries,
    pushes: pushOrders(world, own.name),
  })
  return { content, freeze }
}
