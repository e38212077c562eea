// The vocabulary of group ppn.dev, version v1alpha1.
import type { Kind, ObjectMeta } from '../meta.ts'
import { type ArchiveSpec, type ArchiveStatus, archiveSpec } from './archive.ts'
import { type MeshSpec, type MeshStatus, meshSpec } from './mesh.ts'
import { type NodeSpec, type NodeStatus, nodeSpec } from './node.ts'
import { type PairingSpec, type PairingStatus, pairingSpec } from './pairing.ts'
import { type ResourcePoolSpec, type ResourcePoolStatus, resourcePoolSpec } from './resource-pool.ts'

export interface SpecOf {
  Mesh: MeshSpec
  Node: NodeSpec
  Pairing: PairingSpec
  ResourcePool: ResourcePoolSpec
  Archive: ArchiveSpec
}

export interface StatusOf {
  Mesh: MeshStatus
  Node: NodeStatus
  Pairing: PairingStatus
  ResourcePool: ResourcePoolStatus
  Archive: ArchiveStatus
}

/** An object as a store holds it: spec parsed and defaulted. */
export interface PpnObject<K extends Kind = Kind> {
  kind: K
  metadata: ObjectMeta
  spec: SpecOf[K]
  status?: StatusOf[K]
}

/** The union over kinds, so that `switch (object.kind)` narrows. */
export type AnyObject = { [K in Kind]: PpnObject<K> }[Kind]

export const SPEC_SCHEMA = {
  Mesh: meshSpec,
  Node: nodeSpec,
  Pairing: pairingSpec,
  ResourcePool: resourcePoolSpec,
  Archive: archiveSpec,
} as const

export const NAMESPACED: Readonly<Record<Kind, boolean>> = {
  Mesh: false,
  Node: false,
  Pairing: false,
  ResourcePool: false,
  Archive: true,
}
