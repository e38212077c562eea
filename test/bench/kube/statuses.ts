// When each archive's status was written, as the API server's audit log has it.
import { pause } from '../wait.ts'
import type { Asked, AuditTail } from './audit.ts'

const LOOK_EVERY_MS = 50

const wroteStatus = ({ what, status }: Asked) => what.endsWith(' status') && status === 200

/** When each of these archives first had a status written at or after the wall-clock time beside its name. */
export function firstStatuses(asked: readonly Asked[], sinceMs: ReadonlyMap<string, number>): Map<string, number> {
  const first = new Map<string, number>()
  for (const one of asked) {
    const since = sinceMs.get(one.name)
    if (since === undefined || !wroteStatus(one) || one.endedMs < since || first.has(one.name)) continue
    first.set(one.name, one.endedMs)
  }
  return first
}

export interface Watched {
  /** Everything the agent asked for meanwhile. */
  asked: Asked[]
  first: Map<string, number>
}

/**
 * Waits until each had its status, or for so long: an answer may have been lost on a busy machine, though the server
 * wrote it. Rejects with `lost`.
 */
export async function untilStatuses(
  { audit, agent, lost }: { audit: AuditTail; agent: string; lost: Promise<never> },
  sinceMs: ReadonlyMap<string, number>,
  withinMs: number,
): Promise<Watched> {
  const asked: Asked[] = []
  const until = Date.now() + withinMs
  for (;;) {
    asked.push(...audit.take(agent))
    const first = firstStatuses(asked, sinceMs)
    if (first.size === sinceMs.size || Date.now() > until) return { asked, first }
    await Promise.race([pause(LOOK_EVERY_MS), lost])
  }
}
