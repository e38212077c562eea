// One contestant, once: from its start to the last status, then single changes, then many at once.
import { archiveName } from '../folder.ts'
import { monotonicMs } from '../monotonic.ts'
import { pause } from '../wait.ts'
import { type AuditTail, countAsked } from './audit.ts'
import { changeAtOnce, changeSingly } from './changes.ts'
import { startContestant } from './child.ts'
import type { Contestant, Places } from './contestants.ts'
import type { Changed, Objects } from './objects.ts'
import type { Receiver } from './receiver.ts'
import { untilStatuses } from './statuses.ts'
import { usageOf } from './usage.ts'

const BURST = 100
/** After the last status: what a process keeps, rather than what it is just throwing away. */
export const SETTLE_MS = 3_000
export const WITHIN_MS = 10 * 60_000
/** Of statuses that nobody measures, before the next step begins. */
export const STATUS_WITHIN_MS = 30_000
const EFFECT_WITHIN_MS = 60_000

export interface Measured {
  /** Process started to the last command of all objects. */
  coldEffectMs: number
  /** Process started to the last status. */
  coldStatusMs: number
  coldCpuMs: number
  coldRequests: Record<string, number>
  /** Of single changes: our request sent to the command here; the request's own answer. */
  effectMs: number[]
  answerMs: number[]
  updateCpuMs: number
  updateRequests: Record<string, number>
  /** Of a hundred at once: each, and the last one. */
  burstMs: number[]
  settledMiB: number
  settledOwnMiB: number
  endMiB: number
  peakMiB: number
}

export interface Scene {
  objects: Objects
  /** How many single changes. */
  updates: number
  receiver: Receiver
  audit: AuditTail
  places: Places
}

/** For `untilStatuses`: every archive, from this wall-clock time on. */
export const allSince = ({ count }: Objects, ms: number): Map<string, number> =>
  new Map(Array.from({ length: count }, (_, i) => [archiveName(i), ms]))

/** For `untilStatuses`: what was changed, from its request on. */
export function sinceChanged(changed: readonly Changed[]): Map<string, number> {
  const wallMinusMonotonic = Date.now() - monotonicMs()
  return new Map(changed.map(({ number, askedMs }) => [archiveName(number - 1), askedMs + wallMinusMonotonic]))
}

/** `built`: path of the program it needs. */
export async function measure(contestant: Contestant, built: string, scene: Scene): Promise<Measured> {
  const { objects, receiver, audit, places } = scene
  const all = await objects.changeAll()
  audit.take(contestant.agent)
  const began = { wallMs: Date.now(), monotonicMs: monotonicMs() }
  const { pid, lost, stop } = startContestant(contestant, places, built)
  const watching = { audit, agent: contestant.agent, lost }
  const effects = (changed: readonly Changed[], withinMs: number): Promise<number[]> => {
    const came = Promise.all(changed.map(({ number, generation }) => receiver.at(number, generation, withinMs)))
    return Promise.race([came, lost])
  }
  try {
    const coldEffectMs = Math.max(...(await effects(all, WITHIN_MS))) - began.monotonicMs
    const cold = await untilStatuses(watching, allSince(objects, began.wallMs), WITHIN_MS)
    const coldStatusMs = Math.max(...cold.first.values()) - began.wallMs
    const afterCold = usageOf(pid)
    await pause(SETTLE_MS)
    const calm = usageOf(pid)
    cold.asked.push(...audit.take(contestant.agent))

    const single = await changeSingly(objects, scene.updates)
    const effectsAt = await effects(single, EFFECT_WITHIN_MS)
    const updates = await untilStatuses(watching, sinceChanged(single), STATUS_WITHIN_MS)
    const afterUpdates = usageOf(pid)

    const burstBegan = monotonicMs()
    const burst = await changeAtOnce(objects, BURST)
    const burstAt = await effects(burst, EFFECT_WITHIN_MS)
    await untilStatuses(watching, sinceChanged(burst), STATUS_WITHIN_MS)
    const end = usageOf(pid)
    return {
      coldEffectMs,
      coldStatusMs,
      coldCpuMs: afterCold.cpuMs,
      coldRequests: countAsked(cold.asked),
      effectMs: single.map(({ askedMs }, i) => (effectsAt[i] as number) - askedMs),
      answerMs: single.map(({ askedMs, answeredMs }) => answeredMs - askedMs),
      updateCpuMs: afterUpdates.cpuMs - calm.cpuMs,
      updateRequests: countAsked(updates.asked),
      burstMs: burstAt.map((ms) => ms - burstBegan),
      settledMiB: calm.rssMiB,
      settledOwnMiB: calm.ownMiB,
      endMiB: end.rssMiB,
      peakMiB: end.peakMiB,
    }
  } finally {
    await stop()
  }
}
