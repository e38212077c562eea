import { reconcileWith } from '../common/converge.ts'
import type { ControllerWorld } from '../common/world.ts'
import type { ControllerSpec } from '../ports/reconciler.ts'
import { type PairingObserved, planPairing } from './plan.ts'

async function observePairing(world: ControllerWorld): Promise<PairingObserved> {
  return { nowMs: world.clock.now() }
}

const pairingPlanner = { kind: 'Pairing', observe: observePairing, plan: planPairing } as const

export function pairingController(world: ControllerWorld): ControllerSpec {
  return {
    name: 'pairing',
    reconcile: reconcileWith(world, pairingPlanner),
    generation: (key) => world.store.getByKey(key)?.metadata.generation ?? 0,
    ready: () => world.store.health().synced,
    concurrency: 1,
  }
}
