// How groups are made on this host: by systemd, which owns the tree where it runs, or by hand.
import type { ArchiveId } from '../../../protocol/ids.ts'

export interface Groups {
  /** The VM's group below the cgroup2 mount. */
  group(id: ArchiveId): string
  /** The group that holds them all, below the mount. */
  all: string
  /** Why weights cannot be set, beyond what the host as a whole lacks. */
  unavailable(): string | undefined
  /** Moves a running process into the VM's group, making it. Resolves when the kernel shows it there. */
  put(id: ArchiveId, pid: number): Promise<void>
  /** Resolves when it was asked for; the kernel's cpu.weight tells what is. */
  setWeight(group: string, weight: number): Promise<void>
  /** cpu.weight of every VM's group. */
  weights(): number[]
  /** Removes groups without processes. */
  tidy(): void
}
