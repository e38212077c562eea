// The mesh this authority serves. A Mesh named `default` exists if none is declared; a second Mesh is refused.
import type { PpnObject } from '../../api/v1alpha1/index.ts'
import { type MeshSpec, meshSpec } from '../../api/v1alpha1/mesh.ts'
import type { World } from '../ports/world.ts'

const DEFAULT_MESH = 'default'

/** The network in force, written before the first address of it is given out. */
export const MESH_CIDR_RECORD = 'mesh/cidr'

export interface EffectiveMesh {
  name: string
  /** With the network in force, which is not the declared one while that is refused. */
  spec: MeshSpec
  /** Absent: nobody declared it. */
  object?: PpnObject<'Mesh'>
  /** Why the declared network is not followed. */
  refused?: { reason: 'CidrInUse'; detail: string }
}

export type MeshWorld = Pick<World, 'store' | 'allocator'>

/** Who was there first serves: by creation, then name. Tombstones too, while they last. */
export function effectiveMesh(world: MeshWorld): EffectiveMesh {
  const object = servedMesh(world.store.list('Mesh'))
  const spec = object?.spec ?? meshSpec.parse({})
  const base = { name: object?.metadata.name ?? DEFAULT_MESH, ...(object && { object }) }
  const inForce = cidrInForce(world)
  if (inForce === undefined || inForce === spec.cidr) return { ...base, spec }
  const detail = `nodes hold addresses of ${inForce}; it stays in force until none does`
  return { ...base, spec: { ...spec, cidr: inForce }, refused: { reason: 'CidrInUse', detail } }
}

function servedMesh(meshes: readonly PpnObject<'Mesh'>[]): PpnObject<'Mesh'> | undefined {
  return meshes.toSorted(
    (a, b) =>
      Date.parse(a.metadata.creationTimestamp) - Date.parse(b.metadata.creationTimestamp) ||
      (a.metadata.name < b.metadata.name ? -1 : 1),
  )[0]
}

function cidrInForce({ store, allocator }: MeshWorld): string | undefined {
  const recorded = store.records.get(MESH_CIDR_RECORD)?.value as string | undefined
  if (recorded === undefined) return undefined
  const held = store.list('Node').some((node) => allocator.addressOf(node.metadata.uid) !== undefined)
  return held || store.records.list('orphan/').length > 0 ? recorded : undefined
}
