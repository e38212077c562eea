import { channelOf } from '../common/channel.ts'
import { reconcileWith } from '../common/converge.ts'
import type { ControllerWorld } from '../common/world.ts'
import type { ControllerSpec } from '../ports/reconciler.ts'
import { effectiveMesh } from './effective.ts'
import { type MeshObject, type MeshObserved, planMesh } from './plan.ts'

async function observeMesh(world: ControllerWorld, mesh: MeshObject): Promise<MeshObserved> {
  const { clock, authority, holds, index } = world
  return {
    nowMs: clock.now(),
    hold: await holds.isHeld(mesh),
    served: effectiveMesh(world),
    nodes: index.nodes().filter((node) => node.spec.mesh === mesh.metadata.name),
    channel: channelOf(world),
    brakeReason: authority.brake().reason,
    term: authority.term(),
    revision: authority.revision(),
  }
}

const meshPlanner = { kind: 'Mesh', observe: observeMesh, plan: planMesh } as const

export function meshController(world: ControllerWorld): ControllerSpec {
  return {
    name: 'mesh',
    reconcile: reconcileWith(world, meshPlanner),
    generation: (key) => world.store.getByKey(key)?.metadata.generation ?? 0,
    ready: () => world.store.health().synced,
    concurrency: 1,
  }
}
