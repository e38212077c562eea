// CPU shares: one cgroup v2 group a VM.
import type { ArchiveId } from '../../../protocol/ids.ts'

export interface CgroupDriver {
  /** undefined when the VM has no group. */
  weight(id: ArchiveId): Promise<number | undefined>
  /** cpu.weight, 1-10000. Idempotent. */
  setWeight(id: ArchiveId, weight: number): Promise<void>
  /** Why weights cannot be set on this host, e.g. `no cgroup v2 cpu controller`. */
  unavailable(): string | undefined
}
