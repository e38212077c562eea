// One contestant, once: from its start to the last status, then single changes, then many at once.
import { monotonicMs } from '../monotonic.ts'
import { pause } from '../wait.ts'
import { type Asked, type AuditTail, countAsked } from './audit.ts'
import { changeAtOnce, changeSingly } from './changes.ts'
import { startContestant } from './child.ts'
import type { Contestant, Places } from './contestants.ts'
import type { Changed, Objects } from './objects.ts'
import type { Receiver } from './receiver.ts'
import { usageOf } from './usage.ts'

const BURST = 100
/** After the last status: what a process keeps, rather than what it is just throwing away. */
export const SETTLE_MS = 3_000
const LOOK_EVERY_MS = 50
export const WITHIN_MS = 10 * 60_000
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

export const wroteStatus = ({ what, status }: Asked) => what.endsWith(' status') && status === 200

/** `built`: path of the program it needs. */
export async function measure(contestant: Contestant, built: string, scene: Scene): Promise<Measured> {
  const { objects, receiver, audit, places } = scene
  const all = await objects.changeAll()
  audit.take(contestant.agent)
  const began = { wallMs: Date.now(), monotonicMs: monotonicMs() }
  const { pid, lost, stop } = startContestant(contestant, places, built)
  /** Requests since the last call, once `count` statuses are among them. */
  const settled = async (count: number): Promise<Asked[]> => {
    const found: Asked[] = []
    for (const until = Date.now() + WITHIN_MS; Date.now() < until; await Promise.race([pause(LOOK_EVERY_MS), lost])) {
      found.push(...audit.take(contestant.agent))
      if (found.filter(wroteStatus).length >= count) return found
    }
    throw new Error(`${contestant.name} did not write ${count} statuses`)
  }
  const effects = (changed: readonly Changed[], withinMs: number): Promise<number[]> => {
    const came = Promise.all(changed.map(({ number, generation }) => receiver.at(number, generation, withinMs)))
    return Promise.race([came, lost])
  }
  try {
    const coldEffectMs = Math.max(...(await effects(all, WITHIN_MS))) - began.monotonicMs
    const cold = await settled(objects.count)
    const coldStatusMs = Math.max(...cold.filter(wroteStatus).map(({ endedMs }) => endedMs)) - began.wallMs
    const afterCold = usageOf(pid)
    await pause(SETTLE_MS)
    const calm = usageOf(pid)
    cold.push(...audit.take(contestant.agent))

    const single = await changeSingly(objects, scene.updates)
    const effectsAt = await effects(single, EFFECT_WITHIN_MS)
    const updates = await settled(single.length)
    const afterUpdates = usageOf(pid)

    const burstBegan = monotonicMs()
    const burst = await changeAtOnce(objects, BURST)
    const burstAt = await effects(burst, EFFECT_WITHIN_MS)
    await settled(BURST)
    const end = usageOf(pid)
    return {
      coldEffectMs,
      coldStatusMs,
      coldCpuMs: afterCold.cpuMs,
      coldRequests: countAsked(cold),
      effectMs: single.map(({ askedMs }, i) => (effectsAt[i] as number) - askedMs),
      answerMs: single.map(({ askedMs, answeredMs }) => answeredMs - askedMs),
      updateCpuMs: afterUpdates.cpuMs - calm.cpuMs,
      updateRequests: countAsked(updates),
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
