// Who has to look again when something changes: the edges of the dependency graph, as a pure function of the world.
import { keyOf, type ObjectKey, parseKey } from '../api/meta.ts'
import { objectKey } from './common/perform.ts'
import type { ControllerWorld } from './common/world.ts'
import { movesOn } from './move/record.ts'
import type { Placement } from './ports/allocator.ts'

/** What changed: an object's declaration, a node as telemetry shows it, a node's bundle, or a node's enrolment. */
export type Change = 'declared' | 'seen' | 'bundle' | 'enrolled'

const nodeKey = (name: string): ObjectKey => keyOf('Node', name)

/** Archives that name the node, have a place on it, are on their way from or to it, or are shown there all the same. */
function archivesOf(world: ControllerWorld, node: string): ObjectKey[] {
  const placements = world.allocator.placementsOn(node)
  const placed = placements.flatMap((p) => world.index.archiveByUid(p.archiveUid) ?? [])
  const moving = movesOn(world.store.records, node).flatMap((m) => world.index.archiveByUid(m.from.archiveUid) ?? [])
  return [...world.index.archivesNaming(node), ...placed, ...moving, ...strangersOn(world, node, placements)].map(
    objectKey,
  )
}

/** Archives that the node shows and our records place elsewhere, or nowhere: they may be older than a move. */
function strangersOn(world: ControllerWorld, node: string, placements: readonly Placement[]) {
  const placed = new Set(placements.map(({ id }) => id))
  const shown = world.fleet.view(node).report?.archives ?? []
  return shown.flatMap(({ id, name, namespace }) =>
    placed.has(id) ? [] : (world.store.get('Archive', name, namespace) ?? []),
  )
}

function residents(world: ControllerWorld, node: string): ObjectKey[] {
  const pool = world.store.get('ResourcePool', node) ? [keyOf('ResourcePool', node)] : []
  return [...archivesOf(world, node), ...pool]
}

function hubs(world: ControllerWorld): ObjectKey[] {
  return world.index
    .nodes()
    .filter((node) => node.spec.role === 'hub')
    .map(objectKey)
}

const allNodes = (world: ControllerWorld): ObjectKey[] => world.index.nodes().map(objectKey)

const meshes = (world: ControllerWorld): ObjectKey[] => world.store.list('Mesh').map(objectKey)

/** A spoke's place on the mesh concerns the hubs; a hub's, or an authority's node's, everyone. */
function peersOf(world: ControllerWorld, name: string): ObjectKey[] {
  const node = world.store.get('Node', name)
  const authority = world.store.list('Mesh').some((mesh) => mesh.spec.authorityNodes?.includes(name))
  return !node || node.spec.role === 'hub' || authority ? allNodes(world) : hubs(world)
}

/** Pairings of a node. */
function pairings(world: ControllerWorld, of: (node: string) => boolean): ObjectKey[] {
  return world.store
    .list('Pairing')
    .filter(({ spec }) => of(spec.nodeName))
    .map(objectKey)
}

/** Nodes that have no address yet may be waiting for one that is free now. */
function addressless(world: ControllerWorld): ObjectKey[] {
  return world.index
    .nodes()
    .filter(({ metadata: { uid }, spec }) => {
      const held = world.allocator.addressOf(uid)
      return held === undefined || (spec.address !== undefined && spec.address !== held)
    })
    .map(objectKey)
}

/** Keys to run again, without the changed one itself. A node that is asked about by 'seen', 'bundle' or 'enrolled' runs. */
export function dependents(world: ControllerWorld, key: ObjectKey, change: Change): ObjectKey[] {
  const keys = new Set(dependentKeys(world, key, change))
  if (change === 'declared') keys.delete(key)
  return [...keys]
}

function dependentKeys(world: ControllerWorld, key: ObjectKey, change: Change): ObjectKey[] {
  const { kind, name } = parseKey(key)
  switch (kind) {
    case 'Mesh':
      return [...meshes(world), ...allNodes(world)]
    case 'Pairing':
      // Its rendezvous may be free now.
      return pairings(world, () => true)
    case 'ResourcePool':
      return [nodeKey(name), ...archivesOf(world, name)]
    case 'Archive':
      return archiveDependents(world, key)
    case 'Node':
      if (change === 'seen' || change === 'bundle')
        return [key, ...residents(world, name), ...world.index.leavingNodes().filter((other) => other !== key)]
      return [
        key,
        ...peersOf(world, name),
        ...meshes(world),
        ...residents(world, name),
        ...addressless(world),
        ...pairings(world, (node) => node === name),
      ]
  }
}

/** Its node and its pool, and whoever shares the node with it: room may have come free. */
function archiveDependents(world: ControllerWorld, key: ObjectKey): ObjectKey[] {
  const archive = world.store.getByKey(key)
  if (archive?.kind !== 'Archive') return []
  const placed = world.allocator.placement(archive.metadata.uid)?.node
  const nodes = new Set([archive.spec.nodeName, ...(placed === undefined ? [] : [placed])])
  return [...nodes].flatMap((node) => [nodeKey(node), ...residents(world, node)])
}
