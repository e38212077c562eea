// All controllers over one world, and the edges between them.
import { KINDS, type ObjectKey } from '../api/meta.ts'
import type { PpnObject } from '../api/v1alpha1/index.ts'
import { archiveController, archivePlanner } from './archive/controller.ts'
import type { Planner } from './common/converge.ts'
import type { Effect } from './common/effects.ts'
import { objectKey } from './common/perform.ts'
import type { ControllerWorld, Holds } from './common/world.ts'
import { controllerWorld } from './controller-world.ts'
import { enqueueAll, wireEdges } from './edges.ts'
import { meshController, meshPlanner } from './mesh/controller.ts'
import { nodeController, nodePlanner } from './node/controller.ts'
import { pairingController, pairingPlanner } from './pairing/controller.ts'
import { poolController, poolPlanner } from './pool/controller.ts'
import type { ControllerSpec, Enqueue } from './ports/reconciler.ts'
import type { World } from './ports/world.ts'

export interface Controllers {
  specs: ControllerSpec[]
  holds: Holds
  world: ControllerWorld
  /** Subscribes to everything and, once the store has synced, runs everything. Call it before `store.start`. */
  wire(signal: AbortSignal): void
  /** Everything runs again, at low priority. */
  refresh(reason: string): void
}

export function buildControllers(base: World, enqueue: Enqueue): Controllers {
  const { world, index } = controllerWorld(base, enqueue)
  return {
    specs: [
      meshController(world),
      nodeController(world),
      pairingController(world),
      poolController(world),
      archiveController(world),
    ],
    holds: world.holds,
    world,
    wire: (signal) => wireEdges(world, index, enqueue, signal),
    refresh: (reason) => enqueueAll(world, enqueue, reason),
  }
}

export interface PlannedObject {
  key: ObjectKey
  effects: Effect[]
}

/**
 * What one run of each object would do in `base` as it stands; nothing is done. For `ppn diff`, over a store that
 * overlays the changed files. A plan that has to ask first shows its questions.
 */
export async function planFleet(base: World): Promise<PlannedObject[]> {
  const { world } = controllerWorld(base, () => {}, true)
  const planned: PlannedObject[] = []
  for (const kind of KINDS) {
    const planner = PLANNER_OF[kind] as Planner<typeof kind, unknown>
    for (const object of world.store.list(kind)) planned.push(await planOne(world, planner, object))
  }
  return planned
}

const PLANNER_OF = {
  Mesh: meshPlanner,
  Node: nodePlanner,
  Pairing: pairingPlanner,
  ResourcePool: poolPlanner,
  Archive: archivePlanner,
}

async function planOne(
  world: ControllerWorld,
  planner: Planner<PpnObject['kind'], unknown>,
  object: PpnObject,
): Promise<PlannedObject> {
  const observed = await planner.observe(world, object, {})
  const effects = planner.plan(object, observed).filter((effect) => !isIdle(effect, world))
  return { key: objectKey(object), effects }
}

/** Plans are level triggered: `nothing is wanted` is no news where nothing is. */
function isIdle(effect: Effect, world: ControllerWorld): boolean {
  return effect.type === 'commands' && effect.commands.length === 0 && world.commands.pending(effect.node).length === 0
}
