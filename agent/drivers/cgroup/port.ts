// CPU shares: one cgroup v2 group a VM.
import type { ArchiveId } from '../../../protocol/ids.ts'

export interface CgroupDriver {
  /** undefined when the VM has no group. */
  weight(id: ArchiveId): Promise<number | undefined>
  /** cpu.weight, 1-10000. Idempotent. */
  setWeight(id: ArchiveId, weight: number): Promise<void>
  /** Why weights cannot be set on this host, e.g. `no cgroup v2 cpu controller`. */
  unavailable(): string | undefined
  /** Puts a VM that was just started into its group, so that it is no longer in the agent's. Idempotent. */
  enter?(id: ArchiveId): Promise<void>
  /**
   * The host's share (ResourcePool cpu.reservedWeight): where processors are short, the host's own processes together
   * get what a VM of this weight would. Idempotent; asked again when VMs or weights have changed.
   */
  reserve?(weight: number): Promise<void>
}
