// How each kind is called where people type it.
import type { Kind } from './meta.ts'

export interface KindNames {
  plural: string
  singular: string
  /** Never one that shadows a name of Kubernetes' core group. */
  shortNames: readonly string[]
}

export const NAMES: Readonly<Record<Kind, KindNames>> = {
  Mesh: { plural: 'meshes', singular: 'mesh', shortNames: ['pmesh'] },
  Node: { plural: 'nodes', singular: 'node', shortNames: ['pnode'] },
  Pairing: { plural: 'pairings', singular: 'pairing', shortNames: ['ppair'] },
  ResourcePool: { plural: 'resourcepools', singular: 'resourcepool', shortNames: ['ppool'] },
  Archive: { plural: 'archives', singular: 'archive', shortNames: ['parc'] },
}

export const CATEGORY = 'ppn'
