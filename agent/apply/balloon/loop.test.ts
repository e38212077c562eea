// The loop itself under a virtual clock, over the simulated drivers: what it promises about time.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { silentLogger } from '../../../base/log.ts'
import type { BundlePool } from '../../../protocol/bundle/document.ts'
import { anArchive } from '../../../testing/bundle-fixtures.ts'
import { memoryFiles } from '../../../testing/memory-files.ts'
import { virtualClock } from '../../../testing/virtual-clock.ts'
import { simulatedCgroupDriver } from '../../drivers/cgroup/simulated.ts'
import type { Drivers, HostDriver } from '../../drivers/host.ts'
import { simulatedHostDriver } from '../../drivers/simulated-host.ts'
import { simulatedVmDriver } from '../../drivers/vm/simulated.ts'
import type { GuestBehaviour } from '../../drivers/vm/simulated-guest.ts'
import { openMachine } from '../../drivers/vm/simulated-machine.ts'
import { createObserver } from '../observer.ts'
import { runBalloonLoop } from './loop.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const POOL: BundlePool = {
  reservedMiB: 512,
  overcommitPercent: 400,
  balloon: { policy: 'Auto', lowWatermarkPercent: 15, highWatermarkPercent: 30, emergencyPercent: 5 },
  reservedWeight: 100,
}

interface Setup {
  physicalMiB: number
  guests: {
    floorMiB: number
    maxMiB: number
    behaviour: GuestBehaviour
    /** Its balloon driver tells how much of its memory it needs. */
    tells?: boolean
  }[]
  /** Memory of the host that neither we nor the guests hold. */
  otherMiB?: (second: number) => number
}

async function node({ physicalMiB, guests, otherMiB = () => 0 }: Setup) {
  const clock = virtualClock()
  const beganMs = clock.monotonic()
  const machine = await openMachine({ files: memoryFiles(), clock, cpus: 4 })
  const vm = simulatedVmDriver(machine)
  const archives = guests.map(({ floorMiB, maxMiB }, i) => anArchive({ slot: i + 1, floorMiB, maxMiB }))
  for (const [i, { id, slot, floorMiB, maxMiB }] of archives.entries()) {
    await machine.script(id, { bootMs: 0, ...guests[i]!.behaviour })
    await vm.start({ id, slot, disk: `${id}.raw`, format: 'raw', vcpus: 1, floorMiB, maxMiB })
  }
  const simulated = simulatedHostDriver(machine, physicalMiB)
  const host: HostDriver = {
    ...simulated,
    async usage() {
      const usage = await simulated.usage()
      const other = otherMiB((clock.monotonic() - beganMs) / SECOND)
      return { ...usage, memoryFreeMiB: Math.max(0, usage.memoryFreeMiB - other) }
    },
  }
  const told: { id: string; target: number }[] = []
  const telling = {
    ...vm,
    async guestStats(id: string) {
      const guest = guests[archives.findIndex((a) => a.id === id)]!
      const found = (await vm.list()).find((v) => v.id === id)!
      const { needMiB = 0, balloonDriver = true } = guest.behaviour
      return guest.tells && balloonDriver ? { availableMiB: Math.max(0, found.memoryActualMiB - needMiB) } : undefined
    },
    setMemoryTarget: async (id: string, target: number) => {
      told.push({ id, target })
      await vm.setMemoryTarget(id, target)
    },
  }
  const drivers = { vm: telling, host, cgroup: simulatedCgroupDriver(machine) } as unknown as Drivers
  const log = silentLogger()
  const observer = createObserver({ drivers, log, interfaceName: () => undefined, changed: () => {} })
  await observer.vms()
  const stop = new AbortController()
  const content = { pool: POOL, archives }
  runBalloonLoop(
    { clock, log, drivers, observer, content: () => content, weight: () => 100, changed: () => {} },
    stop.signal,
  )
  const memory = async () => (await vm.list()).map((v) => v.memoryActualMiB)
  return {
    clock,
    machine,
    told,
    ids: archives.map((a) => a.id),
    memory,
    freeMiB: async () => (await host.usage()).memoryFreeMiB,
    /** Each guest's memory second by second. */
    async watch(ms: number): Promise<number[][]> {
      const paths: number[][] = archives.map(() => [])
      for (let passed = 0; passed < ms; passed += SECOND) {
        await clock.advance(SECOND)
        for (const [i, mib] of (await memory()).entries()) paths[i]!.push(mib)
      }
      return paths
    },
    close() {
      stop.abort()
      machine.close()
    },
  }
}

/** How often a path goes the other way; less than 1 % of it is no movement. */
function turns(path: number[]): number {
  let [turned, direction, extreme] = [0, 0, path[0]!]
  for (const mib of path) {
    if (Math.abs(mib - extreme) < extreme * 0.01) continue
    const now = Math.sign(mib - extreme)
    if (direction !== 0 && now !== direction) turned++
    direction = now
    extreme = mib
  }
  return turned
}

const spread = (path: number[]) => (Math.max(...path) - Math.min(...path)) / Math.max(...path)

const units = (low: number, high: number) => fc.integer({ min: low / 16, max: high / 16 }).map((n) => n * 16)
const guest = units(128, 512).chain((floorMiB) =>
  units(floorMiB, 2048).chain((maxMiB) =>
    fc.record({
      floorMiB: fc.constant(floorMiB),
      maxMiB: fc.constant(maxMiB),
      tells: fc.boolean(),
      behaviour: fc.record({
        needMiB: fc.integer({ min: 32, max: maxMiB }),
        givesBack: fc.boolean(),
        balloonDriver: fc.boolean(),
      }),
    }),
  ),
)

test('steady load: after convergence at most one change of direction and under 2 % of movement in 10 minutes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(guest, { minLength: 1, maxLength: 5 }),
      units(2048, 12288),
      async (guests, physicalMiB) => {
        const n = await node({ physicalMiB, guests })
        // Caches of 2 GiB fill at 16 MiB/s: until then the load is not steady.
        const settling = await n.watch(3 * MINUTE)
        const steady = await n.watch(10 * MINUTE)
        n.close()
        for (const [i, path] of steady.entries()) {
          expect(turns([...settling[i]!.slice(-1), ...path])).toBeLessThanOrEqual(1)
          expect(spread(path)).toBeLessThan(0.02)
        }
      },
    ),
    { numRuns: 25 },
  )
})

const idle = (floorMiB = 256, maxMiB = 2048) => ({ floorMiB, maxMiB, behaviour: { needMiB: 64 } })

test.each([
  ['up', 512, 1536],
  ['up, through the emergency mark', 512, 2560],
  ['down', 2048, 512],
])('a step of the load %s settles within 10 s', async (_how, beforeMiB, afterMiB) => {
  const n = await node({
    physicalMiB: 8192,
    guests: [idle(), idle(), idle()],
    otherMiB: (s) => (s < 180 ? beforeMiB : afterMiB),
  })
  await n.watch(180 * SECOND)
  await n.watch(10 * SECOND)
  const after = await n.watch(5 * MINUTE)
  for (const path of after) expect(spread(path)).toBeLessThan(0.02)
  expect(await n.freeMiB()).toBeGreaterThan(8192 * 0.15)
  n.close()
})

test.each([
  ['low', 15],
  ['high', 30],
  ['emergency', 5],
])('a load within 1 %% of the %s mark does not flap', async (_mark, percent) => {
  const physicalMiB = 8192
  const n = await node({
    physicalMiB,
    guests: [idle(256, 1024), idle(256, 1024)],
    // The guests cannot make up for it: after both are at the floor, free goes to and fro around the mark.
    otherMiB: (s) => physicalMiB * (1 - (percent + Math.sin(s) * 0.9) / 100) - 384 - 2 * (128 + 256),
  })
  await n.watch(2 * MINUTE)
  const steady = await n.watch(10 * MINUTE)
  n.close()
  for (const path of steady) {
    expect(turns(path)).toBeLessThanOrEqual(1)
    expect(spread(path)).toBeLessThan(0.02)
  }
})

test('1 GiB comes back from idle guests within 3 s', async () => {
  const n = await node({
    physicalMiB: 8192,
    guests: [idle(), idle(), idle(), idle()],
    otherMiB: (s) => (s < 180 ? 0 : 2300),
  })
  await n.watch(180 * SECOND)
  const before = (await n.memory()).reduce((a, b) => a + b)
  await n.watch(3 * SECOND)
  const after = (await n.memory()).reduce((a, b) => a + b)
  expect(before - after).toBeGreaterThanOrEqual(1024)
  n.close()
})

test('below the emergency mark every guest is sent to its floor within 2 s, and they come back when it is over', async () => {
  const n = await node({
    physicalMiB: 8192,
    guests: [idle(256), idle(512)],
    otherMiB: (s) => (s >= 180 && s < 240 ? 7000 : 0),
  })
  await n.watch(180 * SECOND)
  await n.watch(2 * SECOND)
  expect(n.told.slice(-2)).toEqual([
    { id: n.ids[0], target: 256 },
    { id: n.ids[1], target: 512 },
  ])
  await n.watch(3 * MINUTE)
  for (const mib of await n.memory()) expect(mib).toBeGreaterThan(1024)
  n.close()
})

test('under pressure an idle guest gives before one that uses what it has', async () => {
  const busy = { floorMiB: 256, maxMiB: 2048, behaviour: { needMiB: 1500 }, tells: true }
  const n = await node({ physicalMiB: 6144, guests: [busy, { ...idle(), tells: true }], otherMiB: () => 2200 })
  await n.watch(3 * MINUTE)
  const [ofBusy, ofIdle] = await n.memory()
  expect(ofBusy).toBeGreaterThanOrEqual(1500)
  expect(ofIdle).toBeLessThan(1024)
  n.close()
})

test('a guest that never moves is asked ever more seldom', async () => {
  const n = await node({
    physicalMiB: 3072,
    guests: [{ floorMiB: 256, maxMiB: 2048, behaviour: { balloonDriver: false } }, idle()],
  })
  await n.watch(10 * MINUTE)
  const early = n.told.filter(({ id }) => id === n.ids[0]).length
  await n.watch(50 * MINUTE)
  const all = n.told.filter(({ id }) => id === n.ids[0]).length
  n.close()
  expect(early).toBeGreaterThan(0)
  expect(early).toBeLessThanOrEqual(8)
  expect(all - early).toBeLessThanOrEqual(6)
})

test('a converged node tells nobody anything', async () => {
  const n = await node({ physicalMiB: 8192, guests: [idle(), idle()] })
  await n.watch(3 * MINUTE)
  const told = n.told.length
  await n.watch(10 * MINUTE)
  n.close()
  expect(n.told.length).toBe(told)
})
