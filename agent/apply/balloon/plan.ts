// Balloon policy Auto (section 8b), decided on the node so that it works with the authority gone. Pure.
//
// What may be used together is fixed: physical - reserved - overhead. It is shared by weight, so a steady fleet has
// steady targets whatever the guests do with their memory. Pressure only withholds part of it:
//   free below the low watermark    withhold what is missing to the middle between the watermarks, at once
//   between the watermarks          nothing moves (hysteresis)
//   above the high watermark        give back half of what is above the middle, at most every 10 s
//   below the emergency mark        everyone to the floor, at once
// "Free" counts memory that balloons have been told to give back and have not yet, so that no step is taken twice.
import type { BundlePool } from '../../../protocol/bundle/document.ts'
import { BALLOON_UNIT_MIB } from '../../../protocol/command/ops.ts'
import type { ArchiveId, MiB } from '../../../protocol/ids.ts'
import type { VmState } from '../../drivers/vm/port.ts'
import { shareMemory } from './shares.ts'

export type Pressure = 'None' | 'Low' | 'High' | 'Emergency'

/** Section 5: until measured. */
export const VM_OVERHEAD_MIB = 128
const GIVE_BACK_EVERY_MS = 10_000
/** A target moves only by at least this share of the maximum, or 32 MiB: less is not worth a guest's attention. */
const DEADBAND_SHARE = 0.02
const DEADBAND_MIB = 32
/** A guest that does not move is left where it is for this long. */
const UNWILLING_MS = 60_000
/** Some task waited for memory in this share of the last 10 s: as good as below the low watermark. */
const PSI_PRESSED = 20

export interface BalloonVm {
  id: ArchiveId
  floorMiB: MiB
  maxMiB: MiB
  weight: number
  actualMiB: MiB
  targetMiB: MiB
  balloon: VmState['balloon']
}

export interface BalloonMemory {
  /** Withheld from the VMs, MiB. */
  withheldMiB: number
  gaveBackMs: number
  emergency: boolean
  /** What a guest took back unasked: it needs that much. */
  needs: ReadonlyMap<ArchiveId, MiB>
  /** Guests whose balloon does not move, until when they are left alone. */
  unwilling: ReadonlyMap<ArchiveId, number>
}

export const NO_BALLOON_MEMORY: BalloonMemory = {
  withheldMiB: 0,
  gaveBackMs: Number.NEGATIVE_INFINITY,
  emergency: false,
  needs: new Map(),
  unwilling: new Map(),
}

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

const roundUp = (mib: number) => Math.ceil(mib / BALLOON_UNIT_MIB) * BALLOON_UNIT_MIB
const clamp = (vm: BalloonVm, mib: number) => Math.min(vm.maxMiB, Math.max(vm.floorMiB, mib))

export function pressureOf(policy: BundlePool, physicalMiB: MiB, freeMiB: MiB, psiSomeAvg10: number): Pressure {
  const percent = physicalMiB > 0 ? (freeMiB / physicalMiB) * 100 : 100
  if (percent < policy.balloon.emergencyPercent) return 'Emergency'
  if (percent < policy.balloon.lowWatermarkPercent || psiSomeAvg10 >= PSI_PRESSED) return 'High'
  return percent < policy.balloon.highWatermarkPercent ? 'Low' : 'None'
}

export function planBalloon(before: BalloonMemory, input: BalloonInput): BalloonPlan {
  const learnt = learn(before, input)
  const overhead = (input.overheadMiB ?? VM_OVERHEAD_MIB) * input.vms.length
  const budget = input.physicalMiB - input.policy.reservedMiB - input.heldMiB - overhead
  const memory = withhold(learnt, input, budget)

  const asked = input.vms.filter((vm) => !memory.unwilling.has(vm.id))
  const unasked = input.vms.filter((vm) => memory.unwilling.has(vm.id)).reduce((sum, vm) => sum + vm.actualMiB, 0)
  const claims = asked.map((vm) => ({
    floorMiB: memory.emergency ? vm.floorMiB : clamp(vm, memory.needs.get(vm.id) ?? 0),
    maxMiB: vm.maxMiB,
    weight: vm.weight,
  }))
  const shares = shareMemory(budget - unasked - memory.withheldMiB, claims)
  const targets = input.vms.flatMap((vm) => {
    const at = asked.indexOf(vm)
    const target = at < 0 ? clamp(vm, roundUp(vm.actualMiB)) : shares[at]!
    const urgent = memory.emergency || (memory.needs.get(vm.id) ?? 0) > vm.targetMiB
    const least = urgent ? 1 : Math.max(DEADBAND_MIB, vm.maxMiB * DEADBAND_SHARE)
    return Math.abs(target - vm.targetMiB) >= least ? [{ id: vm.id, target }] : []
  })
  return { targets, memory }
}

/** Who took memory back, and who does not move. A VM that is gone is forgotten. */
function learn(before: BalloonMemory, { vms, nowMs }: BalloonInput): BalloonMemory {
  const needs = new Map<ArchiveId, MiB>()
  const unwilling = new Map<ArchiveId, number>()
  for (const vm of vms) {
    const need = before.needs.get(vm.id) ?? 0
    const drifted = vm.balloon === 'Drifted' && vm.actualMiB > vm.targetMiB
    const needed = drifted ? Math.max(need, roundUp(vm.actualMiB)) : need
    if (needed > 0) needs.set(vm.id, needed)
    const until = before.unwilling.get(vm.id) ?? Number.NEGATIVE_INFINITY
    if (until > nowMs) unwilling.set(vm.id, until)
    else if (vm.balloon === 'Stuck' || vm.balloon === 'DriverAbsent') unwilling.set(vm.id, nowMs + UNWILLING_MS)
  }
  return { ...before, needs, unwilling }
}

function withhold(memory: BalloonMemory, input: BalloonInput, budgetMiB: number): BalloonMemory {
  const { physicalMiB, policy, vms, nowMs } = input
  const { lowWatermarkPercent, highWatermarkPercent, emergencyPercent } = policy.balloon
  const low = (physicalMiB * lowWatermarkPercent) / 100
  const high = (physicalMiB * highWatermarkPercent) / 100
  const middle = (low + high) / 2
  const floors = vms.reduce((sum, vm) => sum + vm.floorMiB, 0)
  // More than this cannot be withheld: floors bind.
  const most = Math.max(0, budgetMiB - floors)
  const coming = vms.reduce(
    (sum, vm) => sum + (vm.balloon === 'Moving' ? Math.max(0, vm.actualMiB - vm.targetMiB) : 0),
    0,
  )
  const free = input.freeMiB + coming

  if (input.freeMiB < (physicalMiB * emergencyPercent) / 100 && !memory.emergency)
    return { ...memory, emergency: true, withheldMiB: most, gaveBackMs: nowMs }
  if (memory.emergency && input.freeMiB < low) return { ...memory, withheldMiB: most }
  const calm = { ...memory, emergency: false }
  const pressed = free < low || (input.psiSomeAvg10 >= PSI_PRESSED && free < middle)
  if (pressed) {
    // What is withheld counts from what the VMs have, not from what they were never given.
    const has = vms.reduce((sum, vm) => sum + Math.min(vm.actualMiB, vm.targetMiB), 0)
    const unused = Math.max(0, budgetMiB - memory.withheldMiB - has)
    return { ...calm, withheldMiB: Math.min(most, memory.withheldMiB + unused + (middle - free)), gaveBackMs: nowMs }
  }
  if (free > high && memory.withheldMiB > 0 && nowMs - memory.gaveBackMs >= GIVE_BACK_EVERY_MS) {
    const back = Math.max(BALLOON_UNIT_MIB, (free - middle) / 2)
    return { ...calm, withheldMiB: Math.max(0, memory.withheldMiB - back), gaveBackMs: nowMs }
  }
  return calm
}
