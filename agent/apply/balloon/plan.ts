// Balloon policy Auto (section 8b), decided on the node so that it works with the authority gone. Pure.
//
// What may be used together is fixed: physical - reserved - overhead. It is shared by weight, so a steady fleet has
// steady targets whatever the guests do with their memory. Pressure only withholds part of it (withhold.ts).
import type { BundlePool } from '../../../protocol/bundle/document.ts'
import type { ArchiveId, MiB } from '../../../protocol/ids.ts'
import type { VmState } from '../../drivers/vm/port.ts'
import { isUnwilling, type Learnt, learn, NOTHING_LEARNT, toUnits } from './learn.ts'
import { shareMemory } from './shares.ts'
import { NOTHING_WITHHELD, PSI_PRESSED, type Withheld, withhold } from './withhold.ts'

export type Pressure = 'None' | 'Low' | 'High' | 'Emergency'

/** Section 5: until measured. */
export const VM_OVERHEAD_MIB = 128
/** A target moves only by at least this share of the maximum, or 32 MiB: less is not worth a guest's attention. */
const DEADBAND_SHARE = 0.02
const DEADBAND_MIB = 32

export interface BalloonVm {
  id: ArchiveId
  floorMiB: MiB
  maxMiB: MiB
  weight: number
  actualMiB: MiB
  targetMiB: MiB
  balloon: VmState['balloon']
  /** What the guest itself could still give its programs, where it tells. */
  availableMiB?: MiB | undefined
}

export interface BalloonMemory extends Withheld, Learnt {}

export const NO_BALLOON_MEMORY: BalloonMemory = { ...NOTHING_WITHHELD, ...NOTHING_LEARNT }

export interface BalloonInput {
  policy: BundlePool
  physicalMiB: MiB
  freeMiB: MiB
  psiSomeAvg10: number
  /** Running ones only: a paused or starting guest answers no balloon. */
  vms: readonly BalloonVm[]
  /** Held by VMs that are not asked: starting, paused, unlisted. */
  heldMiB: MiB
  /** Memory of a VM's process beside its guest, where it was measured. */
  overheadMiB?: MiB
  nowMs: number
}

export interface BalloonPlan {
  /** New targets of those that change. */
  targets: { id: ArchiveId; target: MiB }[]
  memory: BalloonMemory
}

const clamp = (vm: BalloonVm, mib: number) => Math.min(vm.maxMiB, Math.max(vm.floorMiB, mib))

export function pressureOf(policy: BundlePool, physicalMiB: MiB, freeMiB: MiB, psiSomeAvg10: number): Pressure {
  const percent = physicalMiB > 0 ? (freeMiB / physicalMiB) * 100 : 100
  if (percent < policy.balloon.emergencyPercent) return 'Emergency'
  if (percent < policy.balloon.lowWatermarkPercent || psiSomeAvg10 >= PSI_PRESSED) return 'High'
  return percent < policy.balloon.highWatermarkPercent ? 'Low' : 'None'
}

export function planBalloon(before: BalloonMemory, input: BalloonInput): BalloonPlan {
  const overhead = (input.overheadMiB ?? VM_OVERHEAD_MIB) * input.vms.length
  const budget = input.physicalMiB - input.policy.reservedMiB - input.heldMiB - overhead
  const learnt = learn(before, input.vms, input.nowMs)
  const leastOf = (vm: BalloonVm) => clamp(vm, learnt.needs.get(vm.id)?.needMiB ?? 0)
  const memory = { ...withhold(before, input, budget, leastOf), ...learnt }

  const isAsked = ({ id }: BalloonVm) => !isUnwilling(memory.unwilling.get(id), input.nowMs)
  const asked = input.vms.filter(isAsked)
  const unasked = input.vms.filter((vm) => !isAsked(vm)).reduce((sum, vm) => sum + vm.actualMiB, 0)
  const claims = asked.map((vm) => ({
    floorMiB: memory.emergency ? vm.floorMiB : leastOf(vm),
    maxMiB: vm.maxMiB,
    weight: vm.weight,
  }))
  const shares = shareMemory(budget - unasked - memory.withheldMiB, claims)
  const targets = input.vms.flatMap((vm) => {
    const at = asked.indexOf(vm)
    const target = at < 0 ? clamp(vm, toUnits(vm.actualMiB)) : shares[at]!
    const urgent = memory.emergency || (memory.needs.get(vm.id)?.needMiB ?? 0) > vm.targetMiB
    const least = urgent ? 1 : Math.max(DEADBAND_MIB, vm.maxMiB * DEADBAND_SHARE)
    return Math.abs(target - vm.targetMiB) >= least ? [{ id: vm.id, target }] : []
  })
  return { targets, memory }
}
