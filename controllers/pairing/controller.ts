import { reconcileWith } from '../common/converge.ts'
import type { Answers } from '../common/effects.ts'
import type { ControllerWorld } from '../common/world.ts'
import type { ControllerSpec } from '../ports/reconciler.ts'
import { type PairingObject, type PairingObserved, planPairing } from './plan.ts'
import { type PairingRecord, pairingRecord } from './record.ts'

async function observePairing(
  world: ControllerWorld,
  pairing: PairingObject,
  answers: Answers,
): Promise<PairingObserved> {
  const { ceremonies, store, clock } = world
  const { uid } = pairing.metadata
  const node = store.get('Node', pairing.spec.nodeName)
  const deleting = node?.metadata.deletionTimestamp !== undefined
  return {
    nowMs: clock.now(),
    record: store.records.get(pairingRecord(uid))?.value as PairingRecord | undefined,
    view: ceremonies.view(uid),
    holder: ceremonies.holder(pairing.spec.rendezvous),
    unavailable: ceremonies.unavailable(),
    node: node && !deleting ? { uid: node.metadata.uid, name: node.metadata.name } : undefined,
    act: store.isAct(`Pairing/${pairing.metadata.name}`),
    ...(await codeOf(world, pairing)),
    answers,
  }
}

/** The code, where it stands. */
async function codeOf(
  { pairingCodes }: ControllerWorld,
  { spec }: PairingObject,
): Promise<Pick<PairingObserved, 'code'>> {
  if (spec.code !== undefined) return { code: { code: spec.code } }
  return pairingCodes && spec.codeSecretRef ? { code: await pairingCodes(spec.codeSecretRef) } : {}
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
