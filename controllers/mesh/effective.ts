// The mesh this authority serves. A Mesh named `default` exists if none is declared; a second Mesh is refused.
import type { PpnObject } from '../../api/v1alpha1/index.ts'
import { type MeshSpec, meshSpec } from '../../api/v1alpha1/mesh.ts'
import type { Store } from '../ports/store.ts'

export const DEFAULT_MESH = 'default'

export interface EffectiveMesh {
  name: string
  spec: MeshSpec
  /** Absent: nobody declared it. */
  object?: PpnObject<'Mesh'>
}

/** Who was there first serves: by creation, then name. Tombstones too, while they last. */
export function effectiveMesh(store: Pick<Store, 'list'>): EffectiveMesh {
  const [first] = store
    .list('Mesh')
    .toSorted(
      (a, b) =>
        Date.parse(a.metadata.creationTimestamp) - Date.parse(b.metadata.creationTimestamp) ||
        (a.metadata.name < b.metadata.name ? -1 : 1),
    )
  if (!first) return { name: DEFAULT_MESH, spec: meshSpec.parse({}) }
  return { name: first.metadata.name, spec: first.spec, object: first }
}
