// What to do about a Mesh; pure. A Mesh has no effect of its own: nodes read it (effective.ts). It can be refused, says
// how its nodes are, and waits to go while a Node names it.
import { FINALIZER } from '../../api/meta.ts'
import { readiness } from '../../api/readiness/index.ts'
import type { MeshFacts } from '../../api/readiness/mesh.ts'
import type { PpnObject } from '../../api/v1alpha1/index.ts'
import { conditionOf, conditions, draft } from '../common/conditions.ts'
import type { Effect } from '../common/effects.ts'
import { isOrphan, isPaused, statusEffect, verdictEvent } from '../common/status.ts'
import type { Hold } from '../common/world.ts'
import type { EffectiveMesh } from './effective.ts'

export type MeshObject = PpnObject<'Mesh'>

export interface MeshObserved {
  nowMs: number
  hold: Hold | undefined
  served: EffectiveMesh
  /** Nodes whose spec names it, tombstones included. */
  nodes: readonly PpnObject<'Node'>[]
  channel: MeshFacts['channel']
  brakeReason: string | undefined
  term: number
  revision: number
}

export function planMesh(mesh: MeshObject, observed: MeshObserved): Effect[] {
  const { deletionTimestamp, finalizers } = mesh.metadata
  const owned = finalizers.includes(FINALIZER)
  if (deletionTimestamp !== undefined && !owned) return []
  const facts = meshFacts(mesh, observed)
  if (deletionTimestamp !== undefined && !facts.paused && facts.deletion === 'done')
    return [{ type: 'removeFinalizer' }]
  const first: Effect[] = owned || facts.paused ? [] : [{ type: 'addFinalizer' }]
  return [...first, ...report(mesh, observed, facts)]
}

function meshFacts(mesh: MeshObject, observed: MeshObserved): MeshFacts {
  return {
    paused: isPaused(mesh),
    deletion: deletionOf(mesh, observed),
    accepted: acceptedOf(mesh, observed),
    channel: observed.channel,
    nodes: nodesOf(observed),
  }
}

function deletionOf(mesh: MeshObject, { hold, nodes }: MeshObserved): MeshFacts['deletion'] {
  if (mesh.metadata.deletionTimestamp === undefined) return 'none'
  if (isOrphan(mesh)) return 'done'
  if (hold) return 'held'
  return nodes.length > 0 ? 'nodesPresent' : 'done'
}

function acceptedOf(mesh: MeshObject, { served, nodes }: MeshObserved): MeshFacts['accepted'] {
  if (served.name !== mesh.metadata.name) return 'SecondMesh'
  if (served.refused) return 'CidrInUse'
  return nodes.length > 0 && strangers(mesh, nodes).length > 0 ? 'AuthorityNodeUnknown' : 'yes'
}

function strangers(mesh: MeshObject, nodes: MeshObserved['nodes']): string[] {
  const names = new Set(nodes.map((node) => node.metadata.name))
  return (mesh.spec.authorityNodes ?? []).filter((name) => !names.has(name))
}

const readyOf = (node: PpnObject<'Node'>): string => {
  const ready = conditionOf(node.status?.conditions, 'Ready')
  return ready?.observedGeneration === node.metadata.generation ? ready.status : 'Unknown'
}

function nodesOf({ nodes }: MeshObserved): MeshFacts['nodes'] {
  if (nodes.length === 0) return 'none'
  if (nodes.every((node) => readyOf(node) === 'True')) return 'ready'
  return nodes.some((node) => readyOf(node) === 'False') ? 'settling' : 'silent'
}

/** Names in a message; more would only be cut off by whoever shows it. */
const NAMED = 8

function naming(names: readonly string[]): string {
  const rest = names.length - NAMED
  return names.slice(0, NAMED).join(', ') + (rest > 0 ? ` and ${rest} more` : '')
}

function report(mesh: MeshObject, observed: MeshObserved, facts: MeshFacts): Effect[] {
  const { nodes, served, hold, brakeReason, nowMs, term, revision } = observed
  const { generation } = mesh.metadata
  const concerned = facts.deletion === 'nodesPresent' ? nodes : nodes.filter((node) => readyOf(node) !== 'True')
  const found = readiness('Mesh', facts, {
    mesh: mesh.metadata.name,
    other: served.name,
    others: naming(concerned.map((node) => node.metadata.name)),
    hold: hold?.message,
    brake: brakeReason ?? 'by a person',
    detail: served.refused?.detail ?? naming(strangers(mesh, nodes)),
  })
  const drafts = [
    ...found.conditions,
    facts.accepted === 'yes'
      ? draft('Accepted', 'True', 'Accepted', 'the spec is followed')
      : draft('Accepted', 'False', facts.accepted, found.message),
    facts.channel === 'Superseded'
      ? draft('Superseded', 'True', 'Superseded', 'nodes have heard a newer authority; nothing is sent')
      : draft('Superseded', 'False', 'Newest', 'no node has heard a newer authority'),
    facts.channel === 'Braked'
      ? draft('Braked', 'True', 'Braked', `nothing is sent: ${brakeReason ?? 'the brake is set'}`)
      : draft('Braked', 'False', 'Released', 'the brake is not set'),
    ...(facts.deletion === 'none'
      ? []
      : [draft('Deleting', facts.deletion === 'held' ? 'False' : 'True', found.reason, found.message)]),
  ]
  const status = {
    observedGeneration: generation,
    conditions: conditions(mesh.status?.conditions, drafts, generation, nowMs),
    nodes: nodes.length,
    nodesReady: nodes.filter((node) => readyOf(node) === 'True').length,
    term,
    revision,
  }
  return [...statusEffect(mesh, status), ...verdictEvent(mesh, found)]
}
