import { reconcileWith } from '../common/converge.ts'
import type { ControllerWorld } from '../common/world.ts'
import type { ControllerSpec } from '../ports/reconciler.ts'
import { type PairingObject, type PairingObserved, planPairing } from './plan.ts'

async function observePairing(world: ControllerWorld, pairing: PairingObject): Promise<PairingObserved> {
  return { nowMs: world.clock.now(), hold: await world.holds.isHeld(pairing) }
}

export const pairingPlanner = { kind: 'Pairing', observe: observePairing, plan: planPairing } as const

export function pairingController(world: ControllerWorld): ControllerSpec {
  return {
    name: 'pairing',
    reconcile: reconcileWith(world, pairingPlanner),
    generation: (key) => world.store.getByKey(key)?.metadata.generation ?? 0,
    ready: () => world.store.health().synced,
    concurrency: 1,
  }
}
