// The agent's balloon loop over real guests (node.ts says what is real). One boot of three guests for all of it.
// Nothing here depends on speed: how fast it was is measured by `npm run bench:memory`.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../../base/clock.ts'
import { until } from '../vm/host.ts'
import { AUTO, type Guest, type MemoryNode, memoryNode } from './node.ts'

const PHYSICAL_MIB = 2560
const FLOOR_MIB = 128
const MAX_MIB = 512
const clock = systemClock()
let node: MemoryNode
let guest: Guest
let neighbour: Guest

beforeAll(async () => {
  const willing = { variant: 'willing' as const, floorMiB: FLOOR_MIB, maxMiB: MAX_MIB }
  node = await memoryNode({ physicalMiB: PHYSICAL_MIB, guests: [willing, willing] })
  guest = node.guests[0]!
  neighbour = node.guests[1]!
}, 240_000)
afterAll(() => node?.close())

const actual = async (of: Guest) => (await of.state()).memoryActualMiB
/** Sets what others hold so that this share of the declared host is free now. */
const setFree = async (percent: number) => {
  node.setOther(0)
  node.setOther(Math.round((await node.freeMiB()) - (PHYSICAL_MIB * percent) / 100))
}

test('free-page reporting: what a guest frees comes back to the host without a balloon', async () => {
  const idle = await guest.residentMiB()
  await guest.load(250)
  expect(await guest.residentMiB()).toBeGreaterThan(idle + 200)
  await guest.load(0)
  await until(guest.residentMiB, (mib) => mib < idle + 80)
  expect((await guest.state()).memoryTargetMiB).toBe(MAX_MIB)
})

test('a guest tells its memory, and what a VM costs beside its guest is measured', async () => {
  const stats = await until(
    () => node.driver.guestStats(guest.spec.id),
    (told) => told !== undefined,
  )
  // An unset figure would be 2^64 - 1 bytes.
  for (const mib of [stats?.availableMiB, stats?.totalMiB]) {
    expect(mib).toBeGreaterThan(256)
    expect(mib).toBeLessThan(MAX_MIB)
  }
  const { vmOverheadMiB } = await node.host.usage()
  expect(vmOverheadMiB).toBeGreaterThan(16)
  expect(vmOverheadMiB).toBeLessThan(512)
  expect((vmOverheadMiB ?? 0) % 16).toBe(0)
})

test('Manual: a target is reached down and up, and never below the floor', async () => {
  node.begin({ ...AUTO, balloon: { ...AUTO.balloon, policy: 'Manual' } })
  for (const [asked, reached] of [
    [256, 256],
    [16, FLOOR_MIB],
    [MAX_MIB, MAX_MIB],
  ] as const) {
    await node.driver.setMemoryTarget(guest.spec.id, asked)
    await until(guest.state, (vm) => vm.balloon === 'Converged' && vm.memoryActualMiB === reached)
  }
  node.end()
  expect(node.told).toEqual([])
})

test('Auto with memory to spare tells nobody anything', async () => {
  node.begin()
  await clock.sleep(5_000)
  expect(node.told).toEqual([])
})

test('the emergency reflex: every guest to its floor, although it is idle and gives what it does not use', async () => {
  await setFree(3)
  for (const one of node.guests) await until(one.state, (vm) => vm.memoryActualMiB === FLOOR_MIB)
  expect(node.told.map(({ target }) => target)).toEqual([FLOOR_MIB, FLOOR_MIB])
})

test('a guest squeezed to its floor that needs more takes it back and lives, and so much is its new floor', async () => {
  await guest.load(160)
  const seen = await until(guest.state, (vm) => vm.balloon === 'Drifted' || vm.memoryTargetMiB > FLOOR_MIB)
  expect(seen.lifecycle).toBe('running')
  expect(await actual(neighbour)).toBe(FLOOR_MIB)
  await setFree(20)
  await until(guest.state, (vm) => vm.memoryTargetMiB >= 160 && vm.balloon === 'Converged')
  await guest.console.ask('ping')
})

test('when the emergency is over every guest has its memory again', async () => {
  await guest.load(0)
  node.setOther(0)
  for (const one of node.guests) await until(one.state, (vm) => vm.memoryActualMiB === MAX_MIB)
})

test('within 1 % of the low watermark nothing flaps: after the first step no target changes', async () => {
  await setFree(14.2)
  await until(neighbour.state, (vm) => vm.memoryTargetMiB < MAX_MIB && vm.balloon === 'Converged')
  await until(
    async () => node.told.at(-1)?.atMs ?? 0,
    (lastMs) => clock.monotonic() - lastMs > 5_000,
  )
  const settled = node.told.length
  for (let second = 0; second < 20; second++) {
    await setFree(15 + Math.sin(second) * 0.9)
    await clock.sleep(1_000)
  }
  expect(node.told.slice(settled)).toEqual([])
})
