import { expect, test } from 'vitest'
import { silentLogger } from '../../base/log.ts'
import type { Drivers } from '../drivers/host.ts'
import type { VmState } from '../drivers/vm/port.ts'
import { createObserver } from './observer.ts'

test('answers that come while another is waited for are all kept, whichever comes last', async () => {
  const slow = Promise.withResolvers<{ memoryMiB: number; cpus: number }>()
  const vm = { id: 'a', lifecycle: 'running' } as VmState
  const drivers = {
    vm: { list: async () => [vm] },
    cgroup: { unavailable: () => 'no cgroup v2 cpu controller' },
    host: {
      capacity: () => slow.promise,
      usage: async () => ({ memoryFreeMiB: 1024, psiSomeAvg10: 0 }),
      clockSynchronised: async () => false,
    },
  } as unknown as Drivers
  const observer = createObserver({
    drivers,
    log: silentLogger(),
    interfaceName: () => undefined,
    changed: () => {},
  })
  const host = observer.host()
  await observer.vms()
  slow.resolve({ memoryMiB: 4096, cpus: 2 })
  await host
  expect(observer.get().vms.get('a')).toBe(vm)
  expect(observer.get().capacity).toEqual({ memoryMiB: 4096, cpus: 2 })
  expect(observer.get().lacks).toEqual([{ what: 'CpuWeights', reason: 'no cgroup v2 cpu controller' }])
})
