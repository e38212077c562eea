// Is the fleet Ready, and if not, what keeps it? Pure: from objects and problems to an answer.
import type { Condition } from '../../api/meta.ts'
import type { AnyObject } from '../../api/v1alpha1/index.ts'
import type { SourceProblem } from '../../controllers/ports/store.ts'
import { displayName } from '../resource.ts'

export interface Verdict {
  name: string
  ready: 'True' | 'False' | 'Unknown'
  reason: string
  message: string
}

export interface FleetReadiness {
  ready: boolean
  total: number
  readyCount: number
  /** Sorted as given; those that are not Ready. */
  waiting: Verdict[]
}

/** An act (Pairing) is no part of the fleet's declared state. */
const counts = (object: AnyObject) => object.kind !== 'Pairing'

export function verdictOf(object: AnyObject): Verdict {
  const status = object.status as { conditions?: Condition[]; observedGeneration?: number } | undefined
  const ready = status?.conditions?.find((c) => c.type === 'Ready')
  const name = displayName(object)
  if (!ready || ready.observedGeneration < object.metadata.generation)
    return { name, ready: 'Unknown', reason: 'NotObserved', message: 'this generation has not been reconciled yet' }
  if (object.metadata.deletionTimestamp !== undefined)
    return ready.status === 'True'
      ? { name, ready: 'False', reason: 'Deleting', message: 'its deletion has not been looked at yet' }
      : { name, ready: 'False', reason: ready.reason, message: ready.message }
  return { name, ready: ready.status, reason: ready.reason, message: ready.message }
}

/** A file with an error keeps a fleet from being Ready: what it declares is not known. */
export function fleetReadiness(objects: readonly AnyObject[], problems: readonly SourceProblem[]): FleetReadiness {
  const verdicts = objects.filter(counts).map(verdictOf)
  const waiting = verdicts.filter((v) => v.ready !== 'True')
  const errors = problems.filter((p) => p.severity === 'error').length
  return {
    ready: waiting.length === 0 && errors === 0,
    total: verdicts.length,
    readyCount: verdicts.length - waiting.length,
    waiting,
  }
}
