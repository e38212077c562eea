// The next step of one archive towards what bundle and marks say. Pure and level-triggered: it is asked again after
// each step and each change, and says nothing when there is nothing to do (law 6).
//
//   remove in the bundle  -> stop, release, retain or destroy the disk
//   no disk yet           -> make it from the image, adopt a retained one, or wait for it to be pushed
//   POWER                 -> start, stop, cut, pause, resume
//   WEIGHT, BALLOON       -> once there is a VM
import { BALLOON_UNIT_MIB, OP, POWER } from '../../../protocol/command/ops.ts'
import { compareSequence } from '../../../protocol/ids.ts'
import type { Lifecycle } from '../../../protocol/telemetry/report.ts'
import type { VmEnd, VmFault, VmState } from '../../drivers/vm/port.ts'
import { fenceFault } from '../../fence/may-start.ts'
import { restarts } from './restart.ts'
import { type ArchivePlan, type ArchiveView, isAlive } from './view.ts'

/** Longest time from the driver call to the effect, by POWER value; the stop ladder of section 8b takes 80 s. */
const POWER_LIMIT_MS: Record<number, number> = {
  [POWER.stop]: 90_000,
  [POWER.start]: 60_000,
  [POWER.cut]: 15_000,
  [POWER.suspend]: 60_000,
}
const BALLOON_LIMIT_MS = 60_000

export function planArchive(view: ArchiveView): ArchivePlan {
  if (view.definition.remove) return planRemoval(view)
  const disk = planDisk(view)
  const power = planPower(view, disk)
  if (power.step || !isAlive(view.vm)) return disk?.step && !power.step ? { ...power, step: disk.step } : power
  return planShares(view, power)
}

/** Where there is no VM yet: what becomes of the disk. undefined: it is ready. */
function planDisk(view: ArchiveView): Pick<ArchivePlan, 'step' | 'error' | 'wakeMs'> | undefined {
  const { definition, sidecar, disk, memory, nowMs } = view
  if (isAlive(view.vm)) return undefined
  if (sidecar === 'unreadable') return undefined
  if (sidecar?.state === 'ready') {
    if (disk) return undefined
    return { error: { code: 'DiskMissing', message: 'the disk is gone; it is not made anew' } }
  }
  // What came of a move that was called off: this very archive's disk, given up here, under an epoch above that.
  const own = sidecar?.state === 'retained' && definition.adoptDisk === definition.id ? sidecar : undefined
  const home = own && (own.fencingEpoch < definition.fencingEpoch || view.overridden === definition.fencingEpoch)
  const fault = fenceFault({ ...view, sidecar: sidecar?.state === 'retained' && !home ? sidecar : asIfMade(view) })
  // A retained disk of an older epoch is overwritten by the one that is pushed.
  const pushed = definition.chunkListRoot !== undefined
  if (fault && !(pushed && sidecar && sidecar.fencingEpoch !== definition.fencingEpoch)) return { error: fault }
  if (pushed) return {}
  if (sidecar?.state === 'receiving')
    return {
      error: { code: 'DiskIncomplete', message: 'the disk was being pushed here, and the bundle no longer says so' },
    }
  if (!sidecar && disk) return { error: { code: 'SidecarMissing', message: 'there is a disk without a sidecar' } }
  if (!sidecar && view.overridden === definition.fencingEpoch)
    return { error: { code: 'DiskMissing', message: 'the operator key lets its disk start here, and there is none' } }
  if (memory.making) return {}
  const failed = memory.diskError
  if (failed && nowMs < failed.retryAtMs) return { error: failed, wakeMs: failed.retryAtMs }
  if (definition.adoptDisk) return { step: { do: 'adopt', disk: definition.adoptDisk } }
  return { step: { do: 'make' } }
}

function asIfMade({ definition }: ArchiveView) {
  const { id, name, namespace, fencingEpoch, image } = definition
  const made = { id, name, namespace, fencingEpoch, imageSha256: image.sha256, format: image.format }
  return { ...made, state: 'preparing' as const }
}

function planPower(view: ArchiveView, disk: ReturnType<typeof planDisk>): ArchivePlan {
  const { vm, power, memory, nowMs } = view
  const state: ArchivePlan = { lifecycle: lifecycleOf(view), imageReady: disk === undefined }
  if (!power) return disk ? { ...state, ...withoutStep(disk), lifecycle: lifecycleWithout(disk) } : state
  const { value } = power
  const since = memory.power && compareSequence(memory.power.mark, power) === 0 ? memory.power : undefined
  const deadlineMs = (since?.sinceMs ?? nowMs) + (POWER_LIMIT_MS[value] ?? 0)
  const under: ArchivePlan = { ...state, operation: { op: OP.POWER, value, deadlineMs }, wakeMs: deadlineMs }
  const stuck: ArchivePlan = {
    ...state,
    refusal: { op: OP.POWER, value, reason: 'Stuck', message: `still ${vm?.lifecycle} after the time allowed` },
  }
  const wait = nowMs < deadlineMs ? under : stuck

  if (value === POWER.start) {
    if (!isAlive(vm)) return disk ? withoutDisk(state, disk, value) : planStart(view, state)
    if (vm.lifecycle === 'running') return state
    if (vm.fault) return withFault(state, vm.fault)
    return vm.lifecycle === 'paused' ? { ...wait, step: { do: 'resume' } } : wait
  }
  if (!isAlive(vm)) return disk ? { ...state, ...withoutStep(disk), lifecycle: lifecycleWithout(disk) } : state
  if (value === POWER.cut) return since?.asked ? wait : { ...wait, step: { do: 'cut' } }
  if (value === POWER.stop) return vm.lifecycle === 'stopping' ? wait : { ...wait, step: { do: 'stop' } }
  if (vm.lifecycle === 'paused' && !vm.fault) return state
  return vm.lifecycle === 'running' || vm.fault ? { ...wait, step: { do: 'pause' } } : wait
}

const FAULTS: Record<VmFault, string> = {
  DiskFull: 'the host has no room for what the guest writes; it waits, and goes on by itself when there is',
  DiskError: 'the host cannot read or write the disk; the guest waits, and goes on by itself when it can',
}

/** The guest waits for its host; the driver lets it go on, so there is nothing to do but to say so. */
function withFault(state: ArchivePlan, fault: VmFault): ArchivePlan {
  const message = FAULTS[fault]
  const refusal = { op: OP.POWER, value: POWER.start, reason: 'Failed' as const, message }
  return { ...state, lifecycle: 'Failed', refusal, error: { code: fault, message } }
}

function withoutStep({ error, wakeMs }: NonNullable<ReturnType<typeof planDisk>>) {
  return { ...(error && { error }), ...(wakeMs !== undefined && { wakeMs }) }
}

function lifecycleWithout(disk: NonNullable<ReturnType<typeof planDisk>>): Lifecycle {
  return disk.error ? 'Failed' : 'Preparing'
}

/** Told to start, and there is no disk: the refusal is final only when making it has failed. */
function withoutDisk(state: ArchivePlan, disk: NonNullable<ReturnType<typeof planDisk>>, value: number): ArchivePlan {
  const { error } = disk
  return {
    ...state,
    ...withoutStep(disk),
    lifecycle: lifecycleWithout(disk),
    ...(error && { refusal: { op: OP.POWER, value, reason: 'Failed', message: error.message } }),
  }
}

/** No VM process, a disk, and POWER says start. */
function planStart(view: ArchiveView, state: ArchivePlan): ArchivePlan {
  const { definition, vm, disk, sidecar, memory, nowMs } = view
  const power = view.power!
  const refuse = (message: string, lifecycle: Lifecycle, error?: ArchivePlan['error']): ArchivePlan => ({
    ...state,
    lifecycle,
    refusal: { op: OP.POWER, value: power.value, reason: 'Failed', message },
    ...(error && { error }),
  })
  const fault = fenceFault(view)
  if (fault) return refuse(fault.message, 'Failed', fault)
  if (!disk || sidecar === 'unreadable' || !sidecar) return state

  const startedBefore = sidecar.started !== undefined && compareSequence(sidecar.started, power) === 0
  if (!startedBefore && !view.mayStart)
    return refuse('the bundle in force was put back: it starts nothing anew', 'Stopped', {
      code: 'BundleReverted',
      message: 'waits for a new bundle',
    })
  if (startedBefore && !restarts(definition.restartPolicy, vm?.end)) {
    const crashed = vm?.lifecycle === 'crashed'
    return refuse(`${howEnded(vm)}; restartPolicy is ${definition.restartPolicy}`, crashed ? 'Crashed' : 'Stopped')
  }
  if ((startedBefore || memory.startError !== undefined) && nowMs < memory.retryAtMs) {
    return {
      ...state,
      lifecycle: 'BackOff',
      wakeMs: memory.retryAtMs,
      refusal: {
        op: OP.POWER,
        value: power.value,
        reason: 'BackOff',
        message: memory.startError ?? `${howEnded(vm)}; ended ${memory.failures} times in a row`,
      },
    }
  }
  return { ...state, lifecycle: 'Starting', step: { do: 'start', disk, mark: pair(power) } }
}

const ENDS: Record<VmEnd, string> = {
  'guest-shutdown': 'the guest shut itself down',
  'guest-panic': 'the guest panicked',
  'host-quit': 'the VM was ended on its host',
  'process-died': 'the process of the VM died',
}

function howEnded(vm: VmState | undefined): string {
  return vm?.end ? ENDS[vm.end] : 'the VM went with its host'
}

const pair = ({ term, sequence }: { term: number; sequence: number }) => ({ term, sequence })

/** A VM is there and its power needs no step: its weight, then its memory. */
function planShares(view: ArchiveView, plan: ArchivePlan): ArchivePlan {
  const { weight, cpuWeight, cpuUnavailable } = view
  if (weight && cpuWeight !== weight.value) {
    if (cpuUnavailable === undefined) return { ...plan, step: { do: 'weight', weight: weight.value } }
    if (!plan.refusal) {
      const refusal = { op: OP.WEIGHT, value: weight.value, reason: 'Failed' as const, message: cpuUnavailable }
      return planMemory(view, { ...plan, refusal })
    }
  }
  return planMemory(view, plan)
}

function planMemory(view: ArchiveView, plan: ArchivePlan): ArchivePlan {
  const { definition, vm, balloon, memory, nowMs } = view
  if (!balloon || view.balloonPolicy !== 'Manual' || vm?.lifecycle !== 'running') return plan
  const { value } = balloon
  // A maximum that was raised since the VM was made waits for its next start.
  const maxMiB = Math.min(definition.maxMiB, vm.maxMiB ?? definition.maxMiB)
  const target = clamp(value * BALLOON_UNIT_MIB, definition.floorMiB, maxMiB)
  const since = memory.balloon && compareSequence(memory.balloon.mark, balloon) === 0 ? memory.balloon : undefined
  if (since?.givenUp) {
    const refusal = { op: OP.BALLOON, value, reason: since.givenUp, message: `the guest has ${vm.memoryActualMiB} MiB` }
    return { ...plan, refusal: plan.refusal ?? refusal }
  }
  if (vm.memoryTargetMiB !== target) return { ...plan, step: { do: 'memory', target } }
  if (vm.balloon === 'Converged') return plan
  const deadlineMs = (since?.sinceMs ?? nowMs) + BALLOON_LIMIT_MS
  if (vm.balloon === 'Moving' && nowMs < deadlineMs) {
    if (plan.operation) return plan
    return { ...plan, operation: { op: OP.BALLOON, value, deadlineMs }, wakeMs: deadlineMs }
  }
  const near = Math.ceil(vm.memoryActualMiB / BALLOON_UNIT_MIB) * BALLOON_UNIT_MIB
  const reason = vm.balloon === 'Moving' ? 'Stuck' : vm.balloon
  return { ...plan, step: { do: 'giveUpMemory', reason, target: clamp(near, definition.floorMiB, maxMiB) } }
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high)
}

function planRemoval(view: ArchiveView): ArchivePlan {
  const { definition, vm, sidecar, disk, released, memory } = view
  const state: ArchivePlan = { lifecycle: lifecycleOf(view), imageReady: disk !== undefined }
  if (isAlive(vm)) return vm.lifecycle === 'stopping' ? state : { ...state, step: { do: 'stop' } }
  if (view.fenceLost)
    return { ...state, error: { code: 'FenceUnreadable', message: 'the archive cannot be given up for good' } }
  const given = released !== undefined && released >= definition.fencingEpoch
  const kept = sidecar === undefined || sidecar === 'unreadable' || sidecar.state === 'retained'
  const done = given && (definition.remove === 'Retain' ? kept : sidecar === undefined && disk === undefined)
  if (done) return { ...state, lifecycle: 'Removed' }
  if (memory.making) return state
  if (memory.removeError !== undefined) {
    const error = { code: 'RemoveFailed', message: memory.removeError }
    return { ...state, lifecycle: 'Failed', error, step: releaseStep(definition.remove) }
  }
  return { ...state, step: releaseStep(definition.remove) }
}

function releaseStep(remove: 'Retain' | 'Delete' | undefined) {
  return { do: 'release', disk: remove === 'Delete' ? 'destroy' : 'retain' } as const
}

function lifecycleOf({ vm, disk, memory }: ArchiveView): Lifecycle {
  switch (vm?.lifecycle) {
    case 'starting':
      return 'Starting'
    case 'running':
      return 'Running'
    case 'paused':
      return 'Suspended'
    case 'stopping':
      return 'Stopping'
    case 'crashed':
      return 'Crashed'
    default:
      if (memory.making) return 'Preparing'
      return disk ? 'Stopped' : 'Absent'
  }
}
