// All controllers over one world, and the edges between them.
import { archiveController } from './archive/controller.ts'
import type { ControllerWorld, Holds } from './common/world.ts'
import { controllerWorld } from './controller-world.ts'
import { enqueueAll, wireEdges } from './edges.ts'
import { meshController } from './mesh/controller.ts'
import { nodeController } from './node/controller.ts'
import { pairingController } from './pairing/controller.ts'
import { poolController } from './pool/controller.ts'
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
