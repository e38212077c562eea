// What is known of one archive when its next step is decided.
import type { BundleArchive } from '../../../protocol/bundle/document.ts'
import type { Op } from '../../../protocol/command/ops.ts'
import type { FencingEpoch, MiB, SequenceMark } from '../../../protocol/ids.ts'
import type { Lifecycle, Mark, RefusalReason } from '../../../protocol/telemetry/report.ts'
import type { DiskInfo } from '../../drivers/image/port.ts'
import type { VmState } from '../../drivers/vm/port.ts'
import type { Sidecar } from '../../fence/sidecar.ts'

/** What the agent remembers of an archive while it runs; all of it can be forgotten. */
export interface ArchiveMemory {
  /** The POWER command in force and since when it has been worked on; `asked`: its driver call went out. */
  power?: { mark: SequenceMark; sinceMs: number; asked: boolean }
  balloon?: { mark: SequenceMark; sinceMs: number; givenUp?: RefusalReason }
  /** Ends in a row without a good run in between. */
  failures: number
  /** Clock.monotonic(): not started before. */
  retryAtMs: number
  startedMs?: number
  /** A VM process was there when last looked. */
  alive: boolean
  restarts: number
  /** Why the last start failed before there was a process. */
  startError?: string
  /** Making the disk: under way, or why it failed last and when it is tried again. */
  making: boolean
  diskError?: { code: string; message: string; retryAtMs: number }
  /** Why giving up the archive failed last. */
  removeError?: string
}

export const NOTHING_REMEMBERED: ArchiveMemory = {
  failures: 0,
  retryAtMs: 0,
  alive: false,
  restarts: 0,
  making: false,
}

export interface ArchiveView {
  definition: BundleArchive
  /** May it be started for the first time under this bundle? */
  mayStart: boolean
  balloonPolicy: 'Auto' | 'Manual'
  /** Marks not void. */
  power: Mark | undefined
  weight: Mark | undefined
  balloon: Mark | undefined
  vm: VmState | undefined
  disk: DiskInfo | undefined
  sidecar: Sidecar | 'unreadable' | undefined
  released: FencingEpoch | undefined
  fenceLost: boolean
  /** The epoch under which the operator key lets it start here (law 7). */
  overridden?: FencingEpoch | undefined
  /** cpu.weight of the VM's group; undefined: no group. */
  cpuWeight: number | undefined
  cpuUnavailable: string | undefined
  memory: ArchiveMemory
  nowMs: number
}

export type ArchiveStep =
  | { do: 'make' }
  | { do: 'adopt'; disk: string }
  | { do: 'start'; disk: DiskInfo; mark: SequenceMark }
  | { do: 'stop' | 'cut' | 'pause' | 'resume' }
  | { do: 'weight'; weight: number }
  | { do: 'memory'; target: MiB }
  /** The balloon does not get there: leave it near where it is until there is a newer command. */
  | { do: 'giveUpMemory'; reason: RefusalReason; target: MiB }
  /** The archive ends here: fence, then the disk. */
  | { do: 'release'; disk: 'retain' | 'destroy' }

export interface ArchivePlan {
  step?: ArchiveStep
  lifecycle: Lifecycle
  imageReady: boolean
  operation?: { op: Op; value: number; deadlineMs: number }
  refusal?: { op: Op; value: number; reason: RefusalReason; message: string }
  error?: { code: string; message: string }
  /** Look again then, on Clock.monotonic(), if nothing happens before. */
  wakeMs?: number
}

export function isAlive(vm: VmState | undefined): vm is VmState {
  return vm !== undefined && vm.lifecycle !== 'stopped' && vm.lifecycle !== 'crashed'
}
