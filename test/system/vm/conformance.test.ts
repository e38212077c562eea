// The suite of every VM driver, on real QEMU with real guests.
import { type GuestKind, vmConformance } from '../../../agent/drivers/conformance/vm.ts'
import type { VmDriver, VmSpec, VmState } from '../../../agent/drivers/vm/port.ts'
import { systemClock } from '../../../base/clock.ts'
import type { GuestVariant } from '../../../hack/guest/image.ts'
import { vmHost } from './host.ts'

const VARIANTS: Record<GuestKind, GuestVariant> = {
  willing: 'willing',
  'gives nothing back': 'hoarding',
  'no balloon driver': 'no-balloon',
  'deaf to the power button': 'deaf',
  crashes: 'crashing',
}

vmConformance('QEMU', async () => {
  const host = await vmHost()
  const clock = systemClock()
  let driver = host.driver()
  let hoarder: VmSpec | undefined
  /** A guest that gives nothing back is one only when it holds everything, some time after its balloon driver is up. */
  const hoards = async (vm: VmState) =>
    vm.id !== hoarder?.id || (await host.consoleLog(hoarder)).includes('ppn guest ready')
  const patient: VmDriver = {
    ...driver,
    list: async () =>
      Promise.all(
        (await driver.list()).map(async (vm) =>
          vm.lifecycle === 'running' && !(await hoards(vm)) ? { ...vm, lifecycle: 'starting' as const } : vm,
        ),
      ),
  }
  return {
    driver: patient,
    async spec(kind) {
      const spec = await host.spec(VARIANTS[kind])
      if (kind === 'gives nothing back') hoarder = spec
      return spec
    },
    pass: (ms) => clock.sleep(ms),
    async reopen() {
      driver.close()
      driver = host.driver()
      return driver
    },
    bootMs: 60_000,
    withinMs: 60_000,
    close: host.close,
  }
})
