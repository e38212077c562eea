import fc from 'fast-check'
import { expect, test } from 'vitest'
import { memoryFiles } from '../../../testing/memory-files.ts'
import { virtualClock } from '../../../testing/virtual-clock.ts'
import { cgroupConformance } from '../conformance/cgroup.ts'
import { simulatedVmDriver } from '../vm/simulated.ts'
import { openMachine } from '../vm/simulated-machine.ts'
import { simulatedCgroupDriver } from './simulated.ts'
import { cpuShares } from './simulated-shares.ts'

const spec = (id: string, slot: number) => ({
  id,
  slot,
  disk: `disks/${id}.disk`,
  format: 'raw' as const,
  vcpus: 1,
  floorMiB: 128,
  maxMiB: 256,
})
const A = 'a'.repeat(32)
const B = 'b'.repeat(32)

cgroupConformance('simulated', async () => {
  const machine = await openMachine({ files: memoryFiles(), clock: virtualClock(), cpus: 2 })
  await simulatedVmDriver(machine).start(spec(A, 1))
  return { driver: simulatedCgroupDriver(machine), running: A, close: async () => machine.close() }
})

test('a host without the controller says why, and refuses weights with the same words', async () => {
  const machine = await openMachine({ files: memoryFiles(), clock: virtualClock(), cpus: 2 })
  const driver = simulatedCgroupDriver(machine, 'no cgroup v2 cpu controller')
  expect(driver.unavailable()).toBe('no cgroup v2 cpu controller')
  await expect(driver.setWeight(A, 100)).rejects.toThrow('no cgroup v2 cpu controller')
})

test('two busy guests on one processor share it by weight, and alone one gets all of it', async () => {
  const clock = virtualClock()
  const machine = await openMachine({ files: memoryFiles(), clock, cpus: 1 })
  const vms = simulatedVmDriver(machine)
  const groups = simulatedCgroupDriver(machine)
  await machine.script('*', { processors: 1 })
  for (const [id, weight] of [
    [A, 100],
    [B, 300],
  ] as const) {
    await groups.setWeight(id, weight)
    await vms.start(spec(id, weight / 100))
  }
  const cpu = async (id: string) => (await vms.list()).find((vm) => vm.id === id)?.cpuTimeMs ?? 0
  await clock.advance(100_000)
  expect((await cpu(B)) / (await cpu(A))).toBeCloseTo(3, 2)
  const before = await cpu(A)
  await vms.cut(B)
  await clock.advance(10_000)
  expect((await cpu(A)) - before).toBe(10_000)
  machine.close()
})

test('shares never exceed the demand or the processors, leave none idle, and follow the weights where they are short', () => {
  const demand = fc.record({ weight: fc.integer({ min: 1, max: 10_000 }), processors: fc.integer({ min: 0, max: 8 }) })
  fc.assert(
    fc.property(fc.array(demand, { maxLength: 20 }), fc.integer({ min: 1, max: 16 }), (demands, cpus) => {
      const shares = cpuShares(demands, cpus)
      const sum = shares.reduce((a, b) => a + b, 0)
      const wanted = demands.reduce((a, { processors }) => a + processors, 0)
      expect(sum).toBeCloseTo(Math.min(cpus, wanted), 6)
      for (const [i, share] of shares.entries()) expect(share).toBeLessThanOrEqual((demands[i]?.processors ?? 0) + 1e-9)
      const short = demands
        .map(({ weight, processors }, i) => ({
          perWeight: (shares[i] ?? 0) / weight,
          full: (shares[i] ?? 0) >= processors - 1e-9,
        }))
        .filter(({ full }) => !full)
      for (const one of short) expect(one.perWeight).toBeCloseTo(short[0]?.perWeight ?? 0, 6)
    }),
  )
})
