import type { Condition } from '../../api/meta.ts'
import type { ConditionDraft } from '../../api/readiness/index.ts'

/** RFC 3339 with seconds, as Kubernetes writes it. */
export function rfc3339(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}

/**
 * The conditions of `drafts`, in their order, at this generation. lastTransitionTime moves only when the status of a
 * condition of that type moves, so that reconciling again gives a deeply equal list (law 6). A type that is not drafted
 * goes.
 */
export function conditions(
  previous: readonly Condition[] | undefined,
  drafts: readonly ConditionDraft[],
  observedGeneration: number,
  nowMs: number,
): Condition[] {
  return drafts.map((draft) => {
    const before = previous?.find((condition) => condition.type === draft.type)
    const lastTransitionTime = before?.status === draft.status ? before.lastTransitionTime : rfc3339(nowMs)
    return { ...draft, observedGeneration, lastTransitionTime }
  })
}

export function conditionOf(list: readonly Condition[] | undefined, type: string): Condition | undefined {
  return list?.find((condition) => condition.type === type)
}

/** One condition before its time is known. */
export function draft(type: string, status: ConditionDraft['status'], reason: string, message: string): ConditionDraft {
  return { type, status, reason, message }
}
