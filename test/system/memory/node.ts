// Real guests under the agent's own balloon loop, on a host of a declared size.
//
// The guests, QEMU, QMP and the loop are real. The host's capacity and free memory are not this machine's: they are
// the declared size less what the VM processes really hold (resident pages in /proc) less `otherMiB`, because this
// machine has other things to do and its free memory says nothing about the guests.

import { runBalloonLoop } from '../../../agent/apply/balloon/loop.ts'
import { createObserver } from '../../../agent/apply/observer.ts'
import type { Drivers, HostDriver } from '../../../agent/drivers/host.ts'
import { kernelFiles } from '../../../agent/drivers/kernel-files.ts'
import { vmOverhead } from '../../../agent/drivers/linux-host/vm-overhead.ts'
import type { VmSpec, VmState } from '../../../agent/drivers/vm/port.ts'
import { runPaths } from '../../../agent/drivers/vm/qemu/arguments.ts'
import type { QemuVms } from '../../../agent/drivers/vm/qemu.ts'
import { systemClock } from '../../../base/clock.ts'
import { createLogger } from '../../../base/log.ts'
import { type GuestConsole, socketConsole } from '../../../hack/guest/console.ts'
import type { GuestVariant } from '../../../hack/guest/image.ts'
import type { BundlePool } from '../../../protocol/bundle/document.ts'
import { anArchive } from '../../../testing/bundle-fixtures.ts'
import { boot, vmHost } from '../vm/host.ts'

export const AUTO: BundlePool = {
  reservedMiB: 128,
  overcommitPercent: 400,
  balloon: { policy: 'Auto', lowWatermarkPercent: 15, highWatermarkPercent: 30, emergencyPercent: 5 },
  reservedWeight: 100,
}

export interface Guest {
  spec: VmSpec
  console: GuestConsole
  state(): Promise<VmState>
  /** MiB of the host that its process holds. */
  residentMiB(): Promise<number>
  /** Holds that much more, in one go; 0 lets go of it all. */
  load(mib: number): Promise<void>
}

export interface MemoryNode {
  guests: Guest[]
  driver: QemuVms
  host: HostDriver
  /** Memory of the declared host that somebody else holds, MiB. */
  setOther(mib: number): void
  freeMiB(): Promise<number>
  /** Every target the loop gave since it was begun. */
  told: { atMs: number; id: string; target: number }[]
  /** Begins the agent's loop under this policy. */
  begin(pool?: BundlePool): void
  end(): void
  close(): Promise<void>
}

export async function memoryNode(options: {
  physicalMiB: number
  guests: { variant: GuestVariant; floorMiB: number; maxMiB: number }[]
}): Promise<MemoryNode> {
  const { physicalMiB } = options
  const clock = systemClock()
  const log = createLogger({ level: 'warn', format: 'text' })
  const machine = await vmHost()
  const driver = machine.driver()
  const specs: VmSpec[] = []
  for (const { variant, ...given } of options.guests) specs.push(await machine.spec(variant, given))
  let otherMiB = 0
  const resident = async (id: string) => (await driver.residentMiB(id)) ?? 0
  const freeMiB = async () => {
    const held = await Promise.all(specs.map(({ id }) => resident(id)))
    return Math.max(0, physicalMiB - otherMiB - held.reduce((sum, mib) => sum + mib, 0))
  }
  const overhead = vmOverhead({
    kernel: kernelFiles(),
    clock,
    processes: async () => {
      const seen = await Promise.all(specs.map(async ({ id, maxMiB }) => ({ pid: await driver.pidOf(id), maxMiB })))
      return seen.flatMap(({ pid, maxMiB }) => (pid === undefined ? [] : [{ pid, maxMiB }]))
    },
  })
  const host: HostDriver = {
    capacity: async () => ({ memoryMiB: physicalMiB, cpus: 2 }),
    usage: async () => {
      const vmOverheadMiB = await overhead()
      return {
        memoryFreeMiB: await freeMiB(),
        psiSomeAvg10: 0,
        ...(vmOverheadMiB !== undefined && { vmOverheadMiB }),
      }
    },
    clockSynchronised: async () => true,
  }
  const told: MemoryNode['told'] = []
  const telling: QemuVms = {
    ...driver,
    setMemoryTarget: (id, target, floorMiB) => {
      told.push({ atMs: clock.monotonic(), id, target })
      return driver.setMemoryTarget(id, target, floorMiB)
    },
  }
  const drivers = { vm: telling, host, cgroup: { unavailable: () => undefined } } as unknown as Drivers
  const observer = createObserver({ drivers, log, interfaceName: () => undefined, changed: () => {} })
  let loop: AbortController | undefined

  const guests = await Promise.all(
    specs.map(async (spec): Promise<Guest> => {
      await driver.start(spec)
      // At once: what a guest says before somebody listens is lost, and so is what is said to it before it is up.
      const guest = socketConsole(runPaths(machine.runFolder, spec.slot).console)
      await guest.ready()
      await boot(driver, spec)
      return {
        spec,
        console: guest,
        state: async () => (await driver.list()).find((vm) => vm.id === spec.id)!,
        residentMiB: () => resident(spec.id),
        async load(mib) {
          await guest.ask('sh rm -f /hoard/load')
          if (mib > 0) await guest.ask(`sh dd if=/dev/zero of=/hoard/load bs=1M count=${mib} 2>/dev/null`)
        },
      }
    }),
  )

  return {
    guests,
    driver,
    host,
    freeMiB,
    told,
    setOther: (mib) => {
      otherMiB = mib
    },
    begin(pool = AUTO) {
      loop = new AbortController()
      const archives = specs.map(({ id, slot, floorMiB, maxMiB }) => anArchive({ id, slot, floorMiB, maxMiB }))
      const content = { pool, archives }
      void observer.vms()
      runBalloonLoop(
        { clock, log, drivers, observer, content: () => content, weight: () => undefined, changed: () => {} },
        loop.signal,
      )
    },
    end: () => loop?.abort(),
    async close() {
      loop?.abort()
      for (const guest of guests) guest.console.close()
      await machine.close()
    },
  }
}
