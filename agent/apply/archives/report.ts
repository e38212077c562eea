// What telemetry says of an archive. Pure.
import type { BundleArchive } from '../../../protocol/bundle/document.ts'
import type { ArchiveReport, Lifecycle } from '../../../protocol/telemetry/report.ts'
import type { VmState } from '../../drivers/vm/port.ts'
import type { ArchiveWorker } from './worker.ts'

/** The bounds of protocol/telemetry/report.ts. */
const CODE_LIMIT = 63
const MESSAGE_LIMIT = 256

function figures(vm: VmState | undefined) {
  return {
    memoryActualMiB: Math.round(vm?.memoryActualMiB ?? 0),
    memoryTargetMiB: Math.round(vm?.memoryTargetMiB ?? 0),
    cpuTimeMs: Math.round(vm?.cpuTimeMs ?? 0),
    ...(vm?.accelerator && { accelerator: vm.accelerator }),
  }
}

export function reportArchive(
  definition: BundleArchive,
  worker: ArchiveWorker | undefined,
  vm: VmState | undefined,
  nowMs: number,
): ArchiveReport {
  const plan = worker?.described()
  const operation = plan?.operation
  return {
    id: definition.id,
    slot: definition.slot,
    name: definition.name,
    namespace: definition.namespace,
    lifecycle: plan?.lifecycle ?? 'Absent',
    unlisted: false,
    imageReady: plan?.imageReady ?? false,
    fencingEpoch: worker?.sidecar()?.fencingEpoch ?? 0,
    ...figures(vm),
    weight: worker?.weight() ?? 0,
    restarts: worker?.memory().restarts ?? 0,
    ...(operation && {
      operation: {
        op: operation.op,
        value: operation.value,
        remainingMs: Math.max(0, Math.round(operation.deadlineMs - nowMs)),
      },
    }),
    ...(plan?.refusal && { refusal: { ...plan.refusal, message: plan.refusal.message.slice(0, MESSAGE_LIMIT) } }),
    ...(plan?.error && {
      errorCode: plan.error.code.slice(0, CODE_LIMIT),
      errorMessage: plan.error.message.slice(0, MESSAGE_LIMIT),
    }),
  }
}

const LIFECYCLE: Record<VmState['lifecycle'], Lifecycle> = {
  stopped: 'Stopped',
  starting: 'Starting',
  running: 'Running',
  paused: 'Suspended',
  stopping: 'Stopping',
  crashed: 'Crashed',
}

/** A VM that the applied bundle does not list. */
export function reportUnlisted(
  vm: VmState,
  known: { name: string; namespace: string; fencingEpoch: number; weight: number },
): ArchiveReport {
  return {
    id: vm.id,
    slot: vm.slot,
    ...known,
    ...figures(vm),
    lifecycle: LIFECYCLE[vm.lifecycle],
    unlisted: true,
    imageReady: true,
    restarts: 0,
  }
}
