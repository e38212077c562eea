// The virtual machines of a node. Real: QEMU over QMP; simulated: simulated.ts.
import type { ArchiveId, MiB, Slot } from '../../../protocol/ids.ts'

export type VmLifecycle = 'stopped' | 'starting' | 'running' | 'paused' | 'stopping' | 'crashed'

/** Why the last run of a VM ended, judged by QEMU's SHUTDOWN event, never by the exit code. */
export type VmEnd = 'guest-shutdown' | 'host-quit' | 'guest-panic' | 'process-died'

/** Why a guest waits although nobody paused it: the host could not write (or read) its disk. It goes on by itself. */
export type VmFault = 'DiskFull' | 'DiskError'

export interface VmSpec {
  id: ArchiveId
  slot: Slot
  /** Path of the disk, made by the image driver. */
  disk: string
  format: 'raw' | 'qcow2'
  vcpus: number
  floorMiB: MiB
  maxMiB: MiB
}

export interface VmState {
  id: ArchiveId
  slot: Slot
  lifecycle: VmLifecycle
  /** query-balloon's actual. */
  memoryActualMiB: MiB
  memoryTargetMiB: MiB
  /** What it was started with, where it runs: a definition that changed since has no part in that. */
  maxMiB?: MiB
  cpuTimeMs: number
  /** What runs its processors, as the machine itself says; undefined: not a real one, or it has not said. */
  accelerator?: 'KVM' | 'TCG'
  end?: VmEnd
  /** The balloon driver's latest word about the current target. */
  balloon: 'Converged' | 'Moving' | 'Stuck' | 'DriverAbsent' | 'Drifted'
  /** With lifecycle `paused` only. */
  fault?: VmFault
}

export type VmEvent = { type: 'changed'; id: ArchiveId } | { type: 'ended'; id: ArchiveId; end: VmEnd }

export interface VmDriver {
  /** VMs of this node, those that outlived an earlier agent included. */
  list(): Promise<VmState[]>
  /** Starts a stopped VM; no-op when running or starting. Resolves when the process runs, not when the guest is up. */
  start(spec: VmSpec): Promise<void>
  /** Graceful: the stop ladder of section 8b. No-op when stopped or stopping. Resolves when begun. */
  stop(id: ArchiveId): Promise<void>
  /** At once, without the guest. */
  cut(id: ArchiveId): Promise<void>
  pause(id: ArchiveId): Promise<void>
  resume(id: ArchiveId): Promise<void>
  /**
   * Sets the balloon target (never below the floor). Resolves when asked; `list` tells what became of it. `floorMiB`:
   * the floor from now on, where the definition has changed since the start.
   */
  setMemoryTarget(id: ArchiveId, target: MiB, floorMiB?: MiB): Promise<void>
  subscribe(listener: (event: VmEvent) => void): () => void
  /** MiB that the guest could still give its programs, by its own statistics; undefined: it does not tell. */
  guestStats?(id: ArchiveId): Promise<{ availableMiB: number | undefined } | undefined>
}
