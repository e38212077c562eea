// What the driver needs of the host. Real: linux.ts; in tests: a host of fake QEMUs under a virtual clock.
import type { ArchiveId, Slot } from '../../../../protocol/ids.ts'
import type { VmSpec } from '../port.ts'
import type { Qmp, QmpEvent } from '../qmp/client.ts'
import type { ProcessTable } from './process-table.ts'

export interface QemuWorld {
  processes: ProcessTable
  runFolder: string
  /** Makes a QEMU whose guest waits for `cont`, and returns its pid. It outlives us. */
  launch(spec: VmSpec): Promise<number>
  /**
   * Takes the sockets' folder from the VMs' user, once QEMU has made them: they share that user, and none shall reach
   * the monitor of another.
   */
  shutRunFolder(slot: Slot): Promise<void>
  /** Rejects with QmpGone while nobody answers. */
  connect(slot: Slot, onEvent: (event: QmpEvent) => void): Promise<Qmp>
  /** The end of what QEMU itself printed; never what the guest printed. */
  lastWords(id: ArchiveId): Promise<string>
  /** Keeps the guest's console log short. */
  trimLogs(id: ArchiveId): Promise<void>
  /** Is the disk still there? */
  hasDisk(spec: VmSpec): Promise<boolean>
  /** Takes away logs of a VM whose disk is gone. */
  forget(id: ArchiveId): Promise<void>
}
