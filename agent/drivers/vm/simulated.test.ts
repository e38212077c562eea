import { memoryFiles } from '../../../testing/memory-files.ts'
import { virtualClock } from '../../../testing/virtual-clock.ts'
import { type GuestKind, vmConformance } from '../conformance/vm.ts'
import { BOOT_MS } from '../figures.ts'
import { simulatedVmDriver } from './simulated.ts'
import type { GuestBehaviour } from './simulated-guest.ts'
import { openMachine } from './simulated-machine.ts'

const BEHAVIOURS: Record<GuestKind, GuestBehaviour> = {
  willing: {},
  'gives nothing back': { givesBack: false },
  'no balloon driver': { balloonDriver: false },
  'deaf to the power button': { endsAt: 'quit' },
  crashes: { crashAfterMs: 5_000 },
}

vmConformance('simulated', async () => {
  const clock = virtualClock()
  const files = memoryFiles()
  let machine = await openMachine({ files, clock, cpus: 2 })
  return {
    driver: simulatedVmDriver(machine),
    spec: async (kind) => {
      const id = 'a'.repeat(32)
      await machine.script(id, BEHAVIOURS[kind])
      return { id, slot: 1, disk: 'disks/a.disk', format: 'raw', vcpus: 1, floorMiB: 128, maxMiB: 1024 }
    },
    pass: (ms) => clock.advance(ms),
    reopen: async () => {
      machine.close()
      await clock.advance(60_000)
      machine = await openMachine({ files, clock, cpus: 2 })
      return simulatedVmDriver(machine)
    },
    bootMs: BOOT_MS,
    withinMs: 10_000,
    close: async () => machine.close(),
  }
})
