// What a Linux machine says of itself.
import { availableParallelism } from 'node:os'
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import type { Processes } from '../../base/processes.ts'
import type { HostDriver } from './host.ts'
import type { KernelFiles } from './kernel-files.ts'
import { askClockSync } from './linux-host/clock-sync.ts'
import { meminfoMiB, psiSomeAvg10 } from './linux-host/memory.ts'

/** Asking takes a process; the kernel gives up a synchronisation after hours, not seconds. */
const CLOCK_ASKED_EVERY_MS = 10_000

export interface LinuxHostOptions {
  processes: Processes
  kernel: KernelFiles
  clock: Clock
  log: Logger
  /** Memory of the VM processes beside their guests (vm-overhead.ts), where it is measured. */
  vmOverheadMiB?(): Promise<number | undefined>
}

/**
 * `memoryFreeMiB` is MemAvailable: what can be had without swapping, caches that can be dropped included. A kernel
 * without PSI (CONFIG_PSI, or `psi=0` on its command line) counts as without pressure, and `psiUnavailable` says so.
 */
export function linuxHost(options: LinuxHostOptions): HostDriver {
  const { processes, kernel, clock, log } = options
  let synchronised: { answer: Promise<boolean>; askedMs: number } | undefined
  let saidNoPsi = false

  const meminfo = (field: string): number => {
    const value = meminfoMiB(kernel.read('/proc/meminfo') ?? '', field)
    if (value === undefined) throw new Error(`/proc/meminfo has no ${field}`)
    return value
  }
  const pressure = () => {
    const psi = psiSomeAvg10(readPressure(kernel))
    if (psi !== undefined) return { psiSomeAvg10: psi }
    const psiUnavailable = 'no /proc/pressure/memory: the kernel keeps no pressure figures (CONFIG_PSI, psi=1)'
    if (!saidNoPsi) log.warn({ reason: psiUnavailable }, 'memory pressure is judged by free memory alone')
    saidNoPsi = true
    return { psiSomeAvg10: 0, psiUnavailable }
  }

  return {
    capacity: async () => ({ memoryMiB: meminfo('MemTotal'), cpus: availableParallelism() }),
    usage: async () => {
      const vmOverheadMiB = await options.vmOverheadMiB?.()
      return {
        memoryFreeMiB: meminfo('MemAvailable'),
        ...pressure(),
        ...(vmOverheadMiB !== undefined && { vmOverheadMiB }),
      }
    },
    clockSynchronised: () => {
      const nowMs = clock.monotonic()
      if (!synchronised || nowMs - synchronised.askedMs >= CLOCK_ASKED_EVERY_MS)
        synchronised = { answer: askClockSync(processes, kernel), askedMs: nowMs }
      return synchronised.answer
    },
  }
}

/** With `psi=0` the file is there and reading it answers EOPNOTSUPP. */
function readPressure(kernel: KernelFiles): string {
  try {
    return kernel.read('/proc/pressure/memory') ?? ''
  } catch {
    return ''
  }
}
