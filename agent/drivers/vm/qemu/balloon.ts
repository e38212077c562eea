// What becomes of a balloon target, judged from samples of query-balloon (section 8b). Pure.
//
//   Moving    -> Converged     actual is the target
//             -> DriverAbsent  no movement for 3 s, and the guest's driver never spoke
//             -> Stuck         no movement for 3 s: the target goes back to what the guest has
//   Converged -> Drifted       actual rose unasked: deflate-on-oom, the guest is short of memory
import type { MiB } from '../../../../protocol/ids.ts'
import { BALLOON_STUCK_MS } from '../../figures.ts'
import type { VmState } from '../port.ts'

export interface BalloonWatch {
  targetMiB: MiB
  actualMiB: number
  state: VmState['balloon']
  /** Since when nothing has moved, on Clock.monotonic(). */
  stillSinceMs: number
}

export interface BalloonSample {
  actualMiB: number
  /** Has the guest's balloon driver ever told its statistics? */
  driverSeen: boolean
  /** Do the vCPUs run? A paused guest moves nothing, and that proves nothing. */
  running: boolean
  nowMs: number
}

/** Pages are 4 KiB; a guest may keep a few of them out of step with a target of whole MiB. */
const CLOSE_MIB = 1

export function newWatch(maxMiB: MiB, nowMs: number): BalloonWatch {
  return { targetMiB: maxMiB, actualMiB: maxMiB, state: 'Converged', stillSinceMs: nowMs }
}

/** The guest has been told a new target. */
export function aim(watch: BalloonWatch, targetMiB: MiB, nowMs: number): BalloonWatch {
  const there = Math.abs(watch.actualMiB - targetMiB) < CLOSE_MIB
  return { ...watch, targetMiB, state: there ? 'Converged' : 'Moving', stillSinceMs: nowMs }
}

/** A VM found again: what it was told is not known, so what it has counts as what it should have. */
export function found(actualMiB: number, nowMs: number): BalloonWatch {
  return { targetMiB: Math.ceil(actualMiB) as MiB, actualMiB, state: 'Converged', stillSinceMs: nowMs }
}

/** `retarget`: tell the guest this target, which is what it has, so that it is not squeezed when it recovers. */
export function judge(watch: BalloonWatch, sample: BalloonSample): { watch: BalloonWatch; retarget?: MiB } {
  const { actualMiB, nowMs } = sample
  const offMiB = actualMiB - watch.targetMiB
  if (watch.state !== 'Moving') {
    const seen = { ...watch, actualMiB }
    if (offMiB >= CLOSE_MIB && watch.state === 'Converged') return { watch: { ...seen, state: 'Drifted' } }
    if (Math.abs(offMiB) < CLOSE_MIB && watch.state === 'Drifted') return { watch: { ...seen, state: 'Converged' } }
    return { watch: seen }
  }
  if (Math.abs(offMiB) < CLOSE_MIB) return { watch: { ...watch, actualMiB, state: 'Converged' } }
  // Pages that come and go are no movement.
  if (Math.abs(actualMiB - watch.actualMiB) >= CLOSE_MIB || !sample.running)
    return { watch: { ...watch, actualMiB, stillSinceMs: nowMs } }
  if (nowMs - watch.stillSinceMs < BALLOON_STUCK_MS) return { watch }
  const retarget = Math.ceil(actualMiB) as MiB
  const state = sample.driverSeen ? 'Stuck' : 'DriverAbsent'
  return { watch: { ...watch, targetMiB: retarget, state }, retarget }
}
