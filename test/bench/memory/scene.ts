// What happens to three real guests under Auto, second by second, and what is measured of it.
import { systemClock } from '../../../base/clock.ts'
import { AUTO, type Guest, type MemoryNode, memoryNode } from '../../system/memory/node.ts'
import { reclaimMs, settledMs, spread, turns } from './figures.ts'

/** The declared host; its guests may have more together than it has. */
export const PHYSICAL_MIB = 2304
const OTHER_MIB = 300
const FLOOR_MIB = 128
const MAX_MIB = 768
const SAMPLE_MS = 500
const SECOND = 1_000

export interface Sample {
  /** Seconds since the scene began. */
  at: number
  freeMiB: number
  guests: { actualMiB: number; targetMiB: number; residentMiB: number }[]
  /** MiB that the first guest was told to hold. */
  loadMiB: number
}

export interface Scene {
  samples: Sample[]
  /** What began when. */
  marks: { at: number; what: string }[]
  figures: { what: string; value: string; toReach: string }[]
}

export async function playScene(say: (line: string) => void, steadyMs: number): Promise<Scene> {
  const clock = systemClock()
  const guest = { variant: 'willing' as const, floorMiB: FLOOR_MIB, maxMiB: MAX_MIB }
  const node = await memoryNode({ physicalMiB: PHYSICAL_MIB, guests: [guest, guest, guest] })
  try {
    node.setOther(OTHER_MIB)
    const scene: Scene = { samples: [], marks: [], figures: [] }
    const beganMs = clock.monotonic()
    const now = () => (clock.monotonic() - beganMs) / SECOND
    let loadMiB = 0
    let sampling = true
    const sampled = (async () => {
      while (sampling) {
        scene.samples.push(await sample(node, now(), loadMiB))
        await clock.sleep(SAMPLE_MS)
      }
    })()
    const pass = (seconds: number) => clock.sleep(seconds * SECOND)
    const mark = (what: string): number => {
      const at = now()
      say(`${at.toFixed(0)} s: ${what}`)
      scene.marks.push({ at, what })
      return at
    }
    const between = (from: number, to = now()) => scene.samples.filter((s) => s.at >= from && s.at <= to)
    const note = (what: string, value: string, toReach: string) => scene.figures.push({ what, value, toReach })
    const hold = async (of: Guest, mib: number) => {
      await of.load(mib)
      if (of === node.guests[0]) loadMiB = mib
    }

    node.begin()
    mark('idle')
    await pass(20)

    const spike = mark('the host is short')
    node.setOther(PHYSICAL_MIB - 3 * 190 - 60)
    await pass(15)
    const taken = reclaimMs(between(spike), 1024)
    note('1 GiB taken back from idle guests', taken === undefined ? 'not within 15 s' : `${seconds(taken)} s`, '3 s')
    const over = mark('no longer')
    node.setOther(OTHER_MIB)
    await pass(30)
    note('settled after the emergency', `${seconds(settledMs(between(over), over))} s`, '10 s')

    // Two neighbours with some load; the first guest's load comes and goes.
    for (const one of node.guests.slice(1)) await hold(one, 150)
    await pass(10)
    for (const _time of [1, 2]) {
      mark('load')
      await hold(node.guests[0]!, 520)
      await pass(45)
      mark('none')
      await hold(node.guests[0]!, 0)
      await pass(75)
    }

    await hold(node.guests[0]!, 400)
    const steadyOther = Math.round((await node.freeMiB()) + OTHER_MIB - PHYSICAL_MIB * 0.13)
    const step = mark('a step, then steady')
    node.setOther(steadyOther)
    await pass(30)
    note('settled after a step', `${seconds(settledMs(between(step), step))} s`, '10 s')
    const steady = now()
    await clock.sleep(steadyMs)
    const still = between(steady)
    const minutes = (steadyMs / 60_000).toFixed(0)
    const most = Math.max(...node.guests.map((_guest, i) => spread(still.map((s) => s.guests[i]!.actualMiB))))
    const turned = Math.max(...node.guests.map((_guest, i) => turns(still.map((s) => s.guests[i]!.targetMiB))))
    note(`movement in ${minutes} minutes of steady load`, `${(most * 100).toFixed(2)} %`, 'under 2 %')
    note(`changes of direction in ${minutes} minutes`, String(turned), 'at most 1')

    const flapFrom = mark('within 1 % of the low mark')
    const free = (await node.freeMiB()) + steadyOther
    for (let second = 0; second < 60; second++) {
      const percent = AUTO.balloon.lowWatermarkPercent + Math.sin(second)
      node.setOther(Math.round(free - (PHYSICAL_MIB * percent) / 100))
      await pass(1)
    }
    const flaps = Math.max(...node.guests.map((_g, i) => turns(between(flapFrom).map((s) => s.guests[i]!.targetMiB))))
    note('changes of direction within 1 % of the low mark, 1 minute', String(flaps), 'at most 1')
    sampling = false
    await sampled
    const { vmOverheadMiB } = await node.host.usage()
    note('memory of a VM process beside its guest (TCG)', `${vmOverheadMiB} MiB`, '')
    return scene
  } finally {
    await node.close()
  }
}

const seconds = (ms: number) => (ms / SECOND).toFixed(1)

async function sample(node: MemoryNode, at: number, loadMiB: number): Promise<Sample> {
  const states = await node.driver.list()
  const guests = await Promise.all(
    node.guests.map(async ({ spec, residentMiB }) => {
      const vm = states.find(({ id }) => id === spec.id)!
      return {
        actualMiB: vm.memoryActualMiB,
        targetMiB: vm.memoryTargetMiB,
        residentMiB: Math.round(await residentMiB()),
      }
    }),
  )
  return { at, freeMiB: Math.round(await node.freeMiB()), guests, loadMiB }
}
