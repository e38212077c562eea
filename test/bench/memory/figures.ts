// What is read off a scene. Pure.
import type { Sample } from './scene.ts'

const SECOND = 1_000
const sum = (sample: Sample) => sample.guests.reduce((all, guest) => all + guest.actualMiB, 0)

/** How long until the guests together had so much less; undefined: never. */
export function reclaimMs(samples: readonly Sample[], mib: number): number | undefined {
  const first = samples[0]
  const there = first && samples.find((sample) => sum(first) - sum(sample) >= mib)
  return there && (there.at - first.at) * SECOND
}

/** From `from` to the last movement of any guest's memory by more than 1 % of what it then had. */
export function settledMs(samples: readonly Sample[], from: number): number {
  const end = samples.at(-1)
  if (!end) return 0
  const last = samples.findLast((sample) =>
    sample.guests.some((guest, i) => {
      const rest = end.guests[i]!.actualMiB
      return Math.abs(guest.actualMiB - rest) > rest * 0.01
    }),
  )
  return last ? (last.at - from) * SECOND : 0
}

export function spread(path: readonly number[]): number {
  return (Math.max(...path) - Math.min(...path)) / Math.max(...path)
}

/** How often it goes the other way. */
export function turns(path: readonly number[]): number {
  const directions = path.map((mib, i) => Math.sign(mib - (path[i - 1] ?? mib))).filter((direction) => direction !== 0)
  return directions.filter((direction, i) => i > 0 && direction !== directions[i - 1]).length
}
