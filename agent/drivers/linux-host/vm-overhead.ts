// What a VM costs the host beside its guest's memory: QEMU's own pages, and under TCG its translated code.
//
// The guest's memory is one mapping of exactly its maximum; what else of the process is resident is overhead
// (/proc/PID/smaps, proc_pid_smaps(5)). The kernel walks page tables for that, hence once a minute.
import type { Clock } from '../../../base/clock.ts'
import { BALLOON_UNIT_MIB } from '../../../protocol/command/ops.ts'
import type { KernelFiles } from '../kernel-files.ts'

const EVERY_MS = 60_000
const KIB_PER_MIB = 1024

export interface VmProcess {
  pid: number
  /** The guest's memory as QEMU was given it. */
  maxMiB: number
}

export interface VmResidence {
  /** Resident pages of the guest's memory: what ballooning and free-page reporting give back to the host. */
  guestMiB: number
  overheadMiB: number
}

/** undefined: no mapping has the size of the guest's memory. */
export function vmResidence(smaps: string, maxMiB: number): VmResidence | undefined {
  let guestKiB: number | undefined
  let otherKiB = 0
  for (const [, size, rss] of smaps.matchAll(/^Size:\s+(\d+) kB\n(?:[A-Z]\w*:.*\n)*?Rss:\s+(\d+) kB$/gm)) {
    if (Number(size) === maxMiB * KIB_PER_MIB) guestKiB = (guestKiB ?? 0) + Number(rss)
    else otherKiB += Number(rss)
  }
  return guestKiB === undefined ? undefined : { guestMiB: guestKiB / KIB_PER_MIB, overheadMiB: otherKiB / KIB_PER_MIB }
}

/**
 * The mean over the VMs, rounded up to 16 MiB; the largest such figure since the agent started, so that what admission
 * counts with does not go to and fro. undefined: nothing was measured yet.
 */
export function vmOverhead(options: {
  kernel: KernelFiles
  clock: Clock
  processes(): Promise<readonly VmProcess[]>
}): () => Promise<number | undefined> {
  const { kernel, clock } = options
  let largest: number | undefined
  let measuredMs = Number.NEGATIVE_INFINITY
  return async () => {
    const nowMs = clock.monotonic()
    if (nowMs - measuredMs < EVERY_MS) return largest
    measuredMs = nowMs
    const seen = (await options.processes()).flatMap(({ pid, maxMiB }) => {
      const residence = vmResidence(kernel.read(`/proc/${pid}/smaps`) ?? '', maxMiB)
      return residence ? [residence.overheadMiB] : []
    })
    if (seen.length === 0) return largest
    const mean = seen.reduce((sum, mib) => sum + mib, 0) / seen.length
    largest = Math.max(largest ?? 0, Math.ceil(mean / BALLOON_UNIT_MIB) * BALLOON_UNIT_MIB)
    return largest
  }
}
