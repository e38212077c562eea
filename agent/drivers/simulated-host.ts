// What a simulated machine says of itself.
import { HOST_BASE_MIB, PSI_FREE_SHARE } from './figures.ts'
import type { HostDriver } from './host.ts'
import type { SimulatedMachine } from './vm/simulated-machine.ts'

export interface SimulatedHost extends HostDriver {
  setClockSynchronised(synchronised: boolean): void
}

export function simulatedHostDriver(machine: SimulatedMachine, memoryMiB: number): SimulatedHost {
  let synchronised = true
  return {
    capacity: async () => ({ memoryMiB, cpus: machine.cpus }),
    usage: async () => {
      const memoryFreeMiB = Math.max(0, Math.round(memoryMiB - HOST_BASE_MIB - machine.residentMiB()))
      const ease = memoryFreeMiB / (memoryMiB * PSI_FREE_SHARE)
      return { memoryFreeMiB, psiSomeAvg10: Math.round(Math.max(0, 1 - ease) * 100) }
    },
    clockSynchronised: async () => synchronised,
    setClockSynchronised: (value) => {
      synchronised = value
    },
  }
}
