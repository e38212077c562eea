// One contestant, once: from its start to the last status, then single changes, then many at once.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { monotonicMs } from '../monotonic.ts'
import { pause } from '../wait.ts'
import { type Asked, type AuditTail, countAsked } from './audit.ts'
import type { Contestant, Places } from './contestants.ts'
import type { Changed, Objects } from './objects.ts'
import type { Receiver } from './receiver.ts'
import { usageOf } from './usage.ts'

/** A modest rate: 25 changes a second. */
const CHANGE_EVERY_MS = 40
const BURST = 100
/** After the last status: what a process keeps, rather than what it is just throwing away. */
const SETTLE_MS = 3_000
const LOOK_EVERY_MS = 50
const WITHIN_MS = 10 * 60_000
const EFFECT_WITHIN_MS = 60_000
/** Kept of what a program says, for when it ends. */
const LAST_WORDS = 4_096
/** Coprime with any number of objects below it: successive changes are of archives far apart. */
const STRIDE = 7_919

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

const wroteStatus = ({ what, status }: Asked) => what.endsWith(' status') && status === 200

function start({ command }: Contestant, places: Places, built: string): ChildProcess {
  const { program, args, env } = command(places, built)
  return spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...env } })
}

/** One after the other at an even pace, whether the last one has had its effect or not. */
function changeSingly(objects: Objects, updates: number): Promise<Changed[]> {
  const change = async (i: number) => {
    await pause(i * CHANGE_EVERY_MS)
    return await objects.change((i * STRIDE) % objects.count)
  }
  return Promise.all(Array.from({ length: updates }, (_, i) => change(i)))
}

/** `built`: path of the program it needs. */
export async function measure(contestant: Contestant, built: string, scene: Scene): Promise<Measured> {
  const { objects, receiver, audit, places } = scene
  const all = await objects.changeAll()
  audit.take(contestant.agent)
  const began = { wallMs: Date.now(), monotonicMs: monotonicMs() }
  const child = start(contestant, places, built)
  const gone = once(child, 'exit')
  let words = ''
  child.stderr?.setEncoding('utf8').on('data', (part: string) => {
    words = (words + part).slice(-LAST_WORDS)
  })
  const pid = child.pid as number
  const lost = gone.then(([code, signal]) =>
    Promise.reject(new Error(`${contestant.name} ended (${code ?? signal}): ${words}`)),
  )
  lost.catch(() => {})
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
    const burst = await Promise.all(
      Array.from({ length: BURST }, (_, i) => objects.change((i * STRIDE) % objects.count)),
    )
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
      endMiB: end.rssMiB,
      peakMiB: end.peakMiB,
    }
  } finally {
    child.kill('SIGTERM')
    const force = setTimeout(() => child.kill('SIGKILL'), 5_000)
    await gone
    clearTimeout(force)
  }
}
