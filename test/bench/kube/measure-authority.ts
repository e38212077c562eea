// The whole authority over the same archives: all controllers, records, finalizers, admission. No agent runs, so its
// effect is the status that says why nothing runs, as the API server's audit log has it.

import { pause } from '../wait.ts'
import { countAsked } from './audit.ts'
import { changeSingly } from './changes.ts'
import { startContestant } from './child.ts'
import type { Contestant } from './contestants.ts'
import { allSince, type Scene, SETTLE_MS, STATUS_WITHIN_MS, sinceChanged, WITHIN_MS } from './measure.ts'
import { untilStatuses } from './statuses.ts'
import { usageOf } from './usage.ts'

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
  const watching = { audit, agent: contestant.agent, lost: child.lost }
  try {
    const cold = await untilStatuses(watching, allSince(objects, beganMs), WITHIN_MS)
    const afterCold = usageOf(child.pid)
    await pause(SETTLE_MS + QUIET_MS)
    const calm = usageOf(child.pid)
    audit.take(contestant.agent)

    const changed = await changeSingly(objects, updates)
    const since = sinceChanged(changed)
    const { first } = await untilStatuses(watching, since, STATUS_WITHIN_MS)
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
