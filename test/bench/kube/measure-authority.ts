// The whole authority over the same archives: all controllers, records, finalizers, admission. No agent runs, so its
// effect is the status that says why nothing runs, as the API server's audit log has it.

import { archiveName } from '../folder.ts'
import { monotonicMs } from '../monotonic.ts'
import { pause } from '../wait.ts'
import { type Asked, countAsked } from './audit.ts'
import { changeSingly } from './changes.ts'
import { startContestant } from './child.ts'
import type { Contestant } from './contestants.ts'
import { type Scene, SETTLE_MS, WITHIN_MS, wroteStatus } from './measure.ts'
import { usageOf } from './usage.ts'

const LOOK_EVERY_MS = 100
/** Statuses that come this long after the last one belong to the next step. */
const QUIET_MS = 3_000

export interface MeasuredAuthority {
  /** Process started to a status of every archive's generation. */
  coldStatusMs: number
  coldCpuMs: number
  coldRequests: Record<string, number>
  /** Our request sent to the status written. */
  statusMs: number[]
  answerMs: number[]
  settledMiB: number
  settledOwnMiB: number
  peakMiB: number
}

/** When each of these archives first had a status written after `sinceMs`. */
export function firstStatuses(asked: readonly Asked[], sinceMs: ReadonlyMap<string, number>): Map<string, number> {
  const first = new Map<string, number>()
  for (const one of asked) {
    const since = sinceMs.get(one.name)
    if (since === undefined || !wroteStatus(one) || one.endedMs < since || first.has(one.name)) continue
    first.set(one.name, one.endedMs)
  }
  return first
}

export async function measureAuthority(
  contestant: Contestant,
  built: string,
  scene: Scene,
): Promise<MeasuredAuthority> {
  const { objects, audit, places, updates } = scene
  await objects.changeAll()
  audit.take(contestant.agent)
  const beganMs = Date.now()
  const child = startContestant(contestant, places, built)
  /** Everything asked until each of these had a status. */
  const untilAll = async (sinceMs: ReadonlyMap<string, number>) => {
    const asked: Asked[] = []
    for (const until = Date.now() + WITHIN_MS; Date.now() < until; ) {
      asked.push(...audit.take(contestant.agent))
      const first = firstStatuses(asked, sinceMs)
      if (first.size === sinceMs.size) return { asked, first }
      await Promise.race([pause(LOOK_EVERY_MS), child.lost])
    }
    throw new Error(`${contestant.name} did not write ${sinceMs.size} statuses`)
  }
  try {
    const cold = await untilAll(new Map(Array.from({ length: objects.count }, (_, i) => [archiveName(i), beganMs])))
    const afterCold = usageOf(child.pid)
    await pause(SETTLE_MS + QUIET_MS)
    const calm = usageOf(child.pid)
    audit.take(contestant.agent)

    const wallMinusMonotonic = Date.now() - monotonicMs()
    const changed = await changeSingly(objects, Math.min(updates, objects.count))
    const since = new Map(changed.map((c) => [archiveName(c.number - 1), c.askedMs + wallMinusMonotonic]))
    const { first } = await untilAll(since)
    return {
      coldStatusMs: Math.max(...cold.first.values()) - beganMs,
      coldCpuMs: afterCold.cpuMs,
      coldRequests: countAsked(cold.asked),
      statusMs: [...first].map(([name, ms]) => ms - since.get(name)!),
      answerMs: changed.map(({ askedMs, answeredMs }) => answeredMs - askedMs),
      settledMiB: calm.rssMiB,
      settledOwnMiB: calm.ownMiB,
      peakMiB: usageOf(child.pid).peakMiB,
    }
  } finally {
    await child.stop()
  }
}
