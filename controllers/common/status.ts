// The parts of a plan that every kind ends with.
import { isDeepStrictEqual } from 'node:util'
import { ANNOTATION, type Condition, type Kind } from '../../api/meta.ts'
import type { Readiness } from '../../api/readiness/index.ts'
import type { PpnObject, StatusOf } from '../../api/v1alpha1/index.ts'
import { conditionOf } from './conditions.ts'
import type { Effect } from './effects.ts'

export function isPaused(object: PpnObject): boolean {
  return object.metadata.annotations[ANNOTATION.paused] !== undefined
}

export function isOrphan(object: PpnObject): boolean {
  return object.metadata.annotations[ANNOTATION.deletion] === 'Orphan'
}

/** Without keys whose value is undefined: they do not survive a store. */
function compact<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined)) as T
}

/** Writes the status, unless the stored one is the same (law 6). */
export function statusEffect<K extends Kind>(object: PpnObject<K>, next: StatusOf[K]): Effect[] {
  const status = compact(next)
  return isDeepStrictEqual(object.status && compact(object.status), status) ? [] : [{ type: 'status', status }]
}

/** Whether the verdict is news: another reason, or the same one at a new generation. */
export function isNews(
  previous: readonly Condition[] | undefined,
  found: Pick<Readiness, 'reason'>,
  generation: number,
): boolean {
  const before = conditionOf(previous, 'Ready')
  return before?.reason !== found.reason || before.observedGeneration !== generation
}

/** Law 13: one event when the verdict changes; a refusal, a hold and silence are warnings. */
export function verdictEvent(object: PpnObject, found: Readiness): Effect[] {
  if (!isNews(object.status?.conditions, found, object.metadata.generation)) return []
  const eventType = found.verdict === 'Stalled' || found.verdict === 'Unknown' ? 'Warning' : 'Normal'
  return [{ type: 'event', eventType, reason: found.reason, message: found.message }]
}
