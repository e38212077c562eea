import fc from 'fast-check'
import { expect, test } from 'vitest'
import { memoryFiles } from '../../../testing/memory-files.ts'
import { virtualClock } from '../../../testing/virtual-clock.ts'
import { BOOT_MS, HOST_BASE_MIB, SHORTAGE_PANIC_MS } from '../figures.ts'
import { simulatedHostDriver } from '../simulated-host.ts'
import type { VmEvent, VmSpec } from './port.ts'
import { simulatedVmDriver } from './simulated.ts'
import {
  advanceGuest,
  beginStop,
  type GuestBehaviour,
  setTarget,
  startedGuest,
  untilChange,
} from './simulated-guest.ts'
import { advanceMachine, openMachine } from './simulated-machine.ts'

const ID = 'a'.repeat(32)
const SPEC: VmSpec = { id: ID, slot: 1, disk: 'disks/a.disk', format: 'raw', vcpus: 2, floorMiB: 128, maxMiB: 1024 }

async function machineWith(behaviour: GuestBehaviour) {
  const clock = virtualClock()
  const files = memoryFiles()
  const machine = await openMachine({ files, clock, cpus: 2 })
  await machine.script('*', behaviour)
  const driver = simulatedVmDriver(machine)
  const only = async () => (await driver.list())[0]
  return { clock, files, machine, driver, only }
}

test('a growing need pushes the balloon back unasked, and that is Drifted, told at most once a second', async () => {
  const { clock, driver, only } = await machineWith({ needMiB: 128, needGrowthMiBPerSecond: 10, needPeakMiB: 600 })
  await driver.start(SPEC)
  await clock.advance(BOOT_MS)
  await driver.setMemoryTarget(ID, 256)
  await clock.advance(5_000)
  expect(await only()).toMatchObject({ balloon: 'Converged', memoryActualMiB: 256 })
  const events: VmEvent[] = []
  driver.subscribe((event) => void events.push(event))
  await clock.advance(20_000)
  const drifted = await only()
  expect(drifted).toMatchObject({ balloon: 'Drifted', memoryTargetMiB: 256 })
  expect(drifted?.memoryActualMiB).toBeGreaterThan(300)
  expect(events.length).toBeGreaterThan(5)
  expect(events.length).toBeLessThan(20)
  await clock.advance(60_000)
  expect((await only())?.memoryActualMiB).toBe(600)
})

test('a target below what the guest needs panics it when it cannot take memory back', async () => {
  const { clock, driver, only } = await machineWith({ needMiB: 512, onShortage: 'panic' })
  await driver.start(SPEC)
  await clock.advance(BOOT_MS)
  await driver.setMemoryTarget(ID, 256)
  await clock.advance(3_000 + SHORTAGE_PANIC_MS)
  expect(await only()).toMatchObject({ lifecycle: 'crashed', end: 'guest-panic' })
})

test('a target below what the guest needs is not reached with deflate-on-oom', async () => {
  const { clock, driver, only } = await machineWith({ needMiB: 512 })
  await driver.start(SPEC)
  await clock.advance(BOOT_MS)
  await driver.setMemoryTarget(ID, 256)
  await clock.advance(5_000)
  expect(await only()).toMatchObject({ lifecycle: 'running', balloon: 'Drifted', memoryActualMiB: 512 })
})

test('a guest that boots slowly answers the power button once it is up', async () => {
  const { clock, driver, only } = await machineWith({ bootMs: 20_000 })
  await driver.start(SPEC)
  await driver.stop(ID)
  await clock.advance(15_000)
  expect((await only())?.lifecycle).toBe('stopping')
  await clock.advance(10_000)
  expect(await only()).toMatchObject({ lifecycle: 'stopped', end: 'guest-shutdown' })
})

test('only SIGKILL ends a process that hangs, and then it has died', async () => {
  const { clock, driver, only } = await machineWith({ endsAt: 'sigkill' })
  await driver.start(SPEC)
  await clock.advance(BOOT_MS)
  await driver.stop(ID)
  await clock.advance(49_000)
  expect((await only())?.lifecycle).toBe('stopping')
  await clock.advance(1_000)
  expect(await only()).toMatchObject({ lifecycle: 'stopped', end: 'process-died' })
})

test('nothing moves while a guest is paused, and that is not held against its balloon', async () => {
  const { clock, driver, only } = await machineWith({})
  await driver.start(SPEC)
  await clock.advance(BOOT_MS)
  await driver.pause(ID)
  await driver.setMemoryTarget(ID, 128)
  await clock.advance(60_000)
  expect(await only()).toMatchObject({ balloon: 'Moving', memoryActualMiB: 1024 })
  await driver.resume(ID)
  await clock.advance(5_000)
  expect(await only()).toMatchObject({ balloon: 'Converged', memoryActualMiB: 128 })
})

test('guests go on while nobody looks: a machine opened later finds what the clock made of them', async () => {
  const { clock, files, machine, driver, only } = await machineWith({ crashAfterMs: 30_000 })
  await driver.start(SPEC)
  machine.close()
  await clock.advance(10_000)
  const later = await openMachine({ files, clock, cpus: 2 })
  expect((await simulatedVmDriver(later).list())[0]).toMatchObject({ lifecycle: 'running' })
  later.close()
  await clock.advance(60_000)
  const last = await openMachine({ files, clock, cpus: 2 })
  expect((await simulatedVmDriver(last).list())[0]).toMatchObject({ lifecycle: 'crashed', end: 'guest-panic' })
  // Whoever had it open before sees the same: what follows from the clock needs no writing down.
  expect(await only()).toEqual((await simulatedVmDriver(last).list())[0])
})

test('a machine that was switched off has no guests and no groups, but the script goes on', async () => {
  const { clock, files, machine, driver } = await machineWith({ bootMs: 1 })
  await driver.start(SPEC)
  await machine.powerCut()
  expect(await driver.list()).toEqual([])
  const again = await openMachine({ files, clock, cpus: 2 })
  expect(again.now()).toMatchObject({ guests: {}, weights: {}, behaviours: { '*': { bootMs: 1 } } })
})

test('a machine written down by an earlier boot of the real one has no guests', async () => {
  const { files, driver } = await machineWith({})
  await driver.start(SPEC)
  const early = { ...virtualClock(), monotonic: () => 5_000 }
  expect((await openMachine({ files, clock: early, cpus: 2 })).now().guests).toEqual({})
})

test('a guest at rest sets no timer', async () => {
  const { clock, driver } = await machineWith({})
  await driver.start(SPEC)
  await clock.advance(60_000)
  expect(clock.pending()).toBe(0)
})

test('free memory is what host and guests leave, and tasks wait for it when it runs out', async () => {
  const { clock, machine, driver } = await machineWith({ needMiB: 512 })
  const host = simulatedHostDriver(machine, 1024)
  expect(await host.usage()).toEqual({ memoryFreeMiB: 1024 - HOST_BASE_MIB, psiSomeAvg10: 0 })
  await driver.start(SPEC)
  expect((await host.usage()).memoryFreeMiB).toBe(1024 - HOST_BASE_MIB - 128 - 512)
  await clock.advance(300_000)
  expect(await host.usage()).toEqual({ memoryFreeMiB: 0, psiSomeAvg10: 100 })
  await driver.cut(ID)
  expect((await host.usage()).memoryFreeMiB).toBe(1024 - HOST_BASE_MIB)
})

test('looking often or seldom makes no difference to what becomes of a guest', () => {
  const behaviour: fc.Arbitrary<GuestBehaviour> = fc.record(
    {
      bootMs: fc.integer({ min: 0, max: 5_000 }),
      balloonDriver: fc.boolean(),
      givesBack: fc.boolean(),
      needMiB: fc.integer({ min: 0, max: 700 }),
      needGrowthMiBPerSecond: fc.integer({ min: 0, max: 200 }),
      onShortage: fc.constantFrom('deflate', 'panic'),
      crashAfterMs: fc.integer({ min: 100, max: 40_000 }),
      processors: fc.integer({ min: 0, max: 2 }),
    },
    { requiredKeys: [] },
  )
  const action = fc.oneof(fc.integer({ min: 0, max: 1024 }), fc.constant('stop' as const))
  const looks = fc.array(fc.integer({ min: 1, max: 9_999 }), { maxLength: 30 })
  fc.assert(
    fc.property(behaviour, action, looks, (b, act, at) => {
      const run = (instants: number[]) => {
        const state = { atMs: 0, guests: { [ID]: startedGuest(SPEC, b) }, weights: {}, behaviours: {} }
        const ends: VmEvent[] = []
        for (const toMs of [...instants.map((ms) => ms), 10_000]) ends.push(...advanceMachine(state, toMs, 2))
        const guest = state.guests[ID]
        if (guest && guest.lifecycle === 'running') act === 'stop' ? beginStop(guest) : setTarget(guest, act)
        for (const toMs of [...instants.map((ms) => ms * 6), 60_000]) ends.push(...advanceMachine(state, toMs, 2))
        return { guest, ends: ends.filter(({ type }) => type === 'ended') }
      }
      const often = run([...at].sort((x, y) => x - y))
      const once = run([])
      expect(often.ends).toEqual(once.ends)
      expect(often.guest?.lifecycle).toBe(once.guest?.lifecycle)
      expect(often.guest?.balloon).toBe(once.guest?.balloon)
      expect(often.guest?.actualMiB).toBeCloseTo(once.guest?.actualMiB ?? 0, 3)
      expect(often.guest?.cpuTimeMs).toBeCloseTo(once.guest?.cpuTimeMs ?? 0, 3)
    }),
    { numRuns: 1000 },
  )
})

test('a guest never leaves its bounds, whatever is asked of it and whenever', () => {
  const step = fc.record({ target: fc.integer({ min: -100, max: 3_000 }), ms: fc.integer({ min: 1, max: 20_000 }) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), fc.integer({ min: 0, max: 50 }), (steps, growth) => {
      const guest = startedGuest(SPEC, { needGrowthMiBPerSecond: growth })
      for (const { target, ms } of steps) {
        setTarget(guest, target)
        expect(guest.targetMiB).toBeGreaterThanOrEqual(SPEC.floorMiB)
        for (let left = ms; left > 0; ) {
          const next = Math.min(left, untilChange(guest))
          advanceGuest(guest, next, 1)
          left -= next
        }
        expect(guest.actualMiB).toBeGreaterThanOrEqual(SPEC.floorMiB)
        expect(guest.actualMiB).toBeLessThanOrEqual(SPEC.maxMiB)
      }
    }),
  )
})
