// Pairing is not served in this version: the object says so, and goes when it is deleted. Pure.
import { FINALIZER } from '../../api/meta.ts'
import { readiness } from '../../api/readiness/index.ts'
import type { PairingFacts } from '../../api/readiness/pairing.ts'
import type { PpnObject } from '../../api/v1alpha1/index.ts'
import { conditions } from '../common/conditions.ts'
import type { Effect } from '../common/effects.ts'
import { isPaused, statusEffect, verdictEvent } from '../common/status.ts'

export type PairingObject = PpnObject<'Pairing'>

export interface PairingObserved {
  nowMs: number
}

export function planPairing(pairing: PairingObject, { nowMs }: PairingObserved): Effect[] {
  const { deletionTimestamp, finalizers, generation, name } = pairing.metadata
  const owned = finalizers.includes(FINALIZER)
  const deleting = deletionTimestamp !== undefined
  if (deleting && !owned) return []
  const facts: PairingFacts = { paused: isPaused(pairing), deleting }
  if (deleting && !facts.paused) return [{ type: 'removeFinalizer' }]
  const found = readiness('Pairing', facts, { name })
  const status = {
    observedGeneration: generation,
    conditions: conditions(pairing.status?.conditions, found.conditions, generation, nowMs),
    phase: pairing.status?.phase ?? ('Pending' as const),
  }
  const first: Effect[] = owned || facts.paused ? [] : [{ type: 'addFinalizer' }]
  return [...first, ...statusEffect(pairing, status), ...verdictEvent(pairing, found)]
}
