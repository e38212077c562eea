// The ports, and what controllers share on top of them.
import { type ObjectKey, parseKey } from '../api/meta.ts'
import { memberships } from './bundle/membership.ts'
import type { ControllerWorld } from './common/world.ts'
import { CONTROLLER_OF, spread } from './edges.ts'
import { createFleetIndex, type LiveIndex } from './fleet-index.ts'
import { createHolds } from './holds/holds.ts'
import type { Enqueue } from './ports/reconciler.ts'
import type { World } from './ports/world.ts'

export function controllerWorld(base: World, enqueue: Enqueue): { world: ControllerWorld; index: LiveIndex } {
  const index = createFleetIndex(base.store)
  const wake = (key: ObjectKey, reason: string) => enqueue(CONTROLLER_OF[parseKey(key).kind], key, reason)
  const { store, clock } = base
  const holds = createHolds({ store, clock, released: (key) => wake(key, 'confirmed') })
  const world: ControllerWorld = {
    ...base,
    index,
    holds,
    membership: memberships(() => world),
    startedMs: base.clock.monotonic(),
    wake,
    changed: (key, reason) => spread(world, enqueue, key, 'declared', `${reason}: ${key}`),
  }
  return { world, index }
}
