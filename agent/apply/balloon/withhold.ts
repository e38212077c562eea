// How much of the VMs' memory is withheld from them, by the host's free memory. Pure.
//
//   below the low watermark    withhold what is missing to the middle between the watermarks, at once
//   between the watermarks     nothing moves (hysteresis)
//   above the high watermark   give back what is above the middle, once it has been above for a while
//   below the emergency mark   everyone to the floor, at once; when that is over, back to the middle
//
// "Free" counts what balloons were told to give or to take and have not yet, so that no step is taken twice. Who gives
// back and is pressed soon after has misjudged the guests (caches that fill slowly): he waits twice as long next time,
// so that a steady load cannot make a cycle of it.
import { BALLOON_UNIT_MIB } from '../../../protocol/command/ops.ts'
import type { BalloonInput, BalloonVm } from './plan.ts'

/** Some task waited for memory in this share of the last 10 s, percent: as good as below the low watermark. */
export const PSI_PRESSED = 20
/** Free memory must be above the high watermark for this long: a spike is no reason to give. */
const PATIENCE_MS = 3_000
const LONGEST_PATIENCE_MS = 20 * 60_000
/** Pressed within this after giving back: it was too much. */
const SOON_MS = 5 * 60_000
/** Without a misjudgement for this long, the patience is the first one again. */
const FORGIVEN_MS = 60 * 60_000

export interface Withheld {
  /** From the VMs together, MiB. */
  withheldMiB: number
  emergency: boolean
  /** Free memory has been above the high watermark since; undefined: it is not. */
  aboveSinceMs: number | undefined
  gaveBackMs: number
  pressedMs: number
  patienceMs: number
}

export const NOTHING_WITHHELD: Withheld = {
  withheldMiB: 0,
  emergency: false,
  aboveSinceMs: undefined,
  gaveBackMs: Number.NEGATIVE_INFINITY,
  pressedMs: Number.NEGATIVE_INFINITY,
  patienceMs: PATIENCE_MS,
}

const sum = (vms: readonly BalloonVm[], of: (vm: BalloonVm) => number) => vms.reduce((all, vm) => all + of(vm), 0)

/**
 * `budgetMiB`: what the VMs may have together. `leastOf`: below that nothing is taken from a VM but in an emergency,
 * which stops at nothing but its floor.
 */
export function withhold(
  last: Withheld,
  input: BalloonInput,
  budgetMiB: number,
  leastOf: (vm: BalloonVm) => number,
): Withheld {
  const { physicalMiB, policy, vms, nowMs } = input
  const percent = (of: number) => (physicalMiB * of) / 100
  const low = percent(policy.balloon.lowWatermarkPercent)
  const high = percent(policy.balloon.highWatermarkPercent)
  const middle = (low + high) / 2
  const most = Math.max(0, budgetMiB - sum(vms, leastOf))
  const before = { ...last, withheldMiB: Math.min(last.withheldMiB, most) }
  // Positive: on its way to the host; negative: on its way to the guests.
  const moving = sum(vms, (vm) => (vm.balloon === 'Moving' ? vm.actualMiB - vm.targetMiB : 0))
  const free = input.freeMiB + moving

  if (input.freeMiB < percent(policy.balloon.emergencyPercent) || (before.emergency && input.freeMiB < low))
    return {
      ...pressed(before, nowMs),
      emergency: true,
      withheldMiB: Math.max(0, budgetMiB - sum(vms, (vm) => vm.floorMiB)),
    }
  if (before.emergency) return { ...giveBack(before, free - middle, nowMs), emergency: false }
  if (free < low || (input.psiSomeAvg10 >= PSI_PRESSED && free < middle)) {
    // What is withheld counts from what the VMs have, not from what they were never given.
    const has = sum(vms, (vm) => Math.min(vm.actualMiB, vm.targetMiB))
    const unused = Math.max(0, budgetMiB - before.withheldMiB - has)
    return {
      ...pressed(before, nowMs),
      withheldMiB: Math.min(most, before.withheldMiB + unused + (middle - free)),
    }
  }
  if (free <= high || before.withheldMiB === 0) return { ...before, aboveSinceMs: undefined }
  const aboveSinceMs = before.aboveSinceMs ?? nowMs
  if (nowMs - aboveSinceMs < before.patienceMs) return { ...before, aboveSinceMs }
  return giveBack(before, free - middle, nowMs)
}

function pressed(before: Withheld, nowMs: number): Withheld {
  const { gaveBackMs, pressedMs, patienceMs } = before
  const tooMuch = gaveBackMs > pressedMs && nowMs - gaveBackMs < SOON_MS
  const forgiven = nowMs - pressedMs >= FORGIVEN_MS
  return {
    ...before,
    aboveSinceMs: undefined,
    pressedMs: nowMs,
    patienceMs: tooMuch ? Math.min(LONGEST_PATIENCE_MS, patienceMs * 2) : forgiven ? PATIENCE_MS : patienceMs,
  }
}

function giveBack(before: Withheld, backMiB: number, nowMs: number): Withheld {
  const withheldMiB = Math.max(0, before.withheldMiB - Math.max(BALLOON_UNIT_MIB, backMiB))
  return { ...before, withheldMiB, aboveSinceMs: undefined, gaveBackMs: nowMs }
}
