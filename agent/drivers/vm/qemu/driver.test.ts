import { expect, test } from 'vitest'
import { silentLogger } from '../../../../base/log.ts'
import { crashFiles } from '../../../../testing/crash-files.ts'
import { memoryFiles } from '../../../../testing/memory-files.ts'
import { virtualClock } from '../../../../testing/virtual-clock.ts'
import { type FakeQemus, fakeQemus } from '../../conformance/fake-qemu.ts'
import { type GuestKind, vmConformance } from '../../conformance/vm.ts'
import { BOOT_MS } from '../../figures.ts'
import type { VmEnd, VmEvent, VmSpec } from '../port.ts'
import type { GuestBehaviour } from '../simulated-guest.ts'
import { qemuDriver } from './driver.ts'

const BEHAVIOURS: Record<GuestKind, GuestBehaviour> = {
  willing: {},
  'gives nothing back': { givesBack: false },
  'no balloon driver': { balloonDriver: false },
  'deaf to the power button': { endsAt: 'quit' },
  crashes: { crashAfterMs: 5_000 },
}
const ID = 'a'.repeat(32)
const SPEC: VmSpec = { id: ID, slot: 1, disk: '/a.disk', format: 'raw', vcpus: 1, floorMiB: 128, maxMiB: 1024 }
/** A driver without a balloon to hear from waits this long for its guest. */
const BOOT_LIMIT_MS = 20_000

function node() {
  const clock = virtualClock()
  const files = memoryFiles()
  const world = fakeQemus(clock)
  world.disks.add(SPEC.disk)
  /** An agent on this host; the one before is dead. */
  const agent = (given = files as Parameters<typeof qemuDriver>[0]['files'], on: FakeQemus = world) =>
    qemuDriver({ world: on, files: given, clock, log: silentLogger() })
  return { clock, files, world, agent }
}
/** A driver's call under a virtual clock: time passes until it answers. */
async function done<T>(clock: ReturnType<typeof virtualClock>, call: Promise<T>): Promise<T> {
  const settled = call.then(
    () => true,
    () => true,
  )
  for (let i = 0; i < 500; i++) {
    if (await Promise.race([settled, new Promise<false>((resolve) => setImmediate(() => resolve(false)))])) return call
    await clock.advance(50)
  }
  throw new Error('no answer')
}

vmConformance('QEMU, faked,', async () => {
  const { clock, world, agent } = node()
  /** The suite awaits calls; some of them take time. */
  const driving = setInterval(() => void clock.advance(10), 0)
  let driver = agent()
  return {
    driver,
    spec: async (kind) => {
      world.behave(ID, BEHAVIOURS[kind])
      return SPEC
    },
    pass: (ms) => clock.advance(ms),
    reopen: async () => {
      driver.close()
      driver = agent()
      return driver
    },
    bootMs: BOOT_LIMIT_MS + BOOT_MS,
    withinMs: 10_000,
    close: async () => {
      clearInterval(driving)
      driver.close()
    },
  }
})

test('whatever write the agent dies at, the next one finds the VM or starts it, and never has two', async () => {
  for (let writes = 0; writes <= 4; writes++) {
    const { clock, files, world, agent } = node()
    const first = agent(crashFiles(files, writes))
    await done(clock, first.start(SPEC)).catch(() => {})
    await clock.advance(100)
    first.close()
    const second = agent()
    await done(clock, second.list())
    await done(clock, second.start(SPEC))
    await clock.advance(BOOT_MS + 1_000)
    expect(world.running()).toEqual([ID])
    expect(await done(clock, second.list())).toMatchObject([{ id: ID, lifecycle: 'running' }])
    second.close()
  }
})

test('an agent that dies between the process and its record finds it again, and lets it run', async () => {
  const { clock, world, agent } = node()
  world.dieAtLaunch()
  const first = agent()
  void first.start(SPEC)
  await clock.advance(100)
  first.close()
  expect(world.running()).toEqual([ID])
  const second = agent()
  await done(clock, second.start(SPEC))
  await clock.advance(BOOT_MS + 1_000)
  expect(world.running()).toEqual([ID])
  expect(await done(clock, second.list())).toMatchObject([{ lifecycle: 'running' }])
  second.close()
})

test('a VM whose record is lost is found by its process, and set aside is what cannot be read', async () => {
  const { clock, files, world, agent } = node()
  const first = agent()
  await done(clock, first.start(SPEC))
  first.close()
  await files.sub('vms').write(ID, Buffer.from('?'))
  const second = agent()
  const [vm] = await done(clock, second.list())
  expect(vm).toMatchObject({ id: ID, slot: 1, memoryActualMiB: 1024, accelerator: 'TCG' })
  await done(clock, second.start(SPEC))
  expect(world.running()).toEqual([ID])
  second.close()
})

/** Boots, lets the agent die, lets something happen, and asks the next agent. */
async function meanwhile(
  happens: (n: ReturnType<typeof node>) => Promise<void> | void,
  behaviour: GuestBehaviour = {},
) {
  const n = node()
  n.world.behave(ID, behaviour)
  const first = n.agent()
  await done(n.clock, first.start(SPEC))
  await n.clock.advance(BOOT_MS + 1_000)
  first.close()
  await happens(n)
  const second = n.agent()
  await done(n.clock, second.list())
  await n.clock.advance(1_000)
  const [vm] = await done(n.clock, second.list())
  second.close()
  return { vm, ...n }
}

test.each<[string, string, VmEnd | undefined, (n: ReturnType<typeof node>) => Promise<void> | void, GuestBehaviour?]>([
  [
    'shut itself down',
    'stopped',
    'guest-shutdown',
    ({ clock }) => clock.advance(60_000),
    { crashAfterMs: 5_000, crashEnd: 'guest-shutdown' },
  ],
  ['panicked', 'crashed', 'guest-panic', ({ clock }) => clock.advance(60_000), { crashAfterMs: 5_000 }],
  ['was killed', 'crashed', 'process-died', ({ world }) => world.kill(ID)],
  ['went with its host', 'stopped', undefined, ({ world }) => world.rebootHost()],
])('a VM that %s while no agent was there is %s, told rightly', async (_, lifecycle, end, happens, behaviour) => {
  const { vm, world } = await meanwhile(happens, behaviour)
  expect(vm).toMatchObject({ id: ID, lifecycle })
  expect(vm?.end).toBe(end)
  expect(world.running()).toEqual([])
})

test('after a restart of the host it starts again, with its disk and nothing else', async () => {
  const { clock, world, agent } = await meanwhile(({ world: host }) => host.rebootHost())
  const driver = agent()
  await done(clock, driver.start(SPEC))
  await clock.advance(BOOT_MS + 1_000)
  expect(await done(clock, driver.list())).toMatchObject([{ lifecycle: 'running' }])
  expect(world.running()).toEqual([ID])
  driver.close()
})

test('a stop ladder goes on under the next agent', async () => {
  const { clock, world, agent } = node()
  world.behave(ID, { endsAt: 'quit' })
  const first = agent()
  await done(clock, first.start(SPEC))
  await clock.advance(BOOT_MS + 1_000)
  await done(clock, first.stop(ID))
  first.close()
  const second = agent()
  expect(await done(clock, second.list())).toMatchObject([{ lifecycle: 'stopping' }])
  await clock.advance(35_000)
  expect(await done(clock, second.list())).toMatchObject([{ lifecycle: 'stopped', end: 'host-quit' }])
  second.close()
})

test.each<[GuestBehaviour['endsAt'], VmEnd, number]>([
  ['quit', 'host-quit', 31_000],
  ['sigterm', 'host-quit', 41_000],
  ['sigkill', 'host-quit', 51_000],
])('a QEMU that obeys nothing before %s ends there, stopped', async (endsAt, end, withinMs) => {
  const { clock, world, agent } = node()
  world.behave(ID, { endsAt })
  const driver = agent()
  await done(clock, driver.start(SPEC))
  await clock.advance(BOOT_MS + 1_000)
  await done(clock, driver.stop(ID))
  await clock.advance(withinMs - 2_000)
  expect(await done(clock, driver.list())).toMatchObject([{ lifecycle: 'stopping' }])
  await clock.advance(3_000)
  expect(await done(clock, driver.list())).toMatchObject([{ lifecycle: 'stopped', end }])
  driver.close()
})

test('a cut overtakes a stop that is under way', async () => {
  const { clock, world, agent } = node()
  world.behave(ID, { endsAt: 'sigkill' })
  const driver = agent()
  await done(clock, driver.start(SPEC))
  await clock.advance(BOOT_MS + 1_000)
  await done(clock, driver.stop(ID))
  await done(clock, driver.cut(ID))
  expect(world.running()).toEqual([])
  expect(await done(clock, driver.list())).toMatchObject([{ lifecycle: 'stopped' }])
  driver.close()
})

test('a full disk pauses the guest, says so, and lets it go on when there is room', async () => {
  const { clock, world, agent } = node()
  const driver = agent()
  await done(clock, driver.start(SPEC))
  await clock.advance(BOOT_MS + 1_000)
  world.fillDisk(true)
  await clock.advance(12_000)
  expect(await done(clock, driver.list())).toMatchObject([{ lifecycle: 'paused', fault: 'DiskFull' }])
  world.fillDisk(false)
  await clock.advance(6_000)
  const [vm] = await done(clock, driver.list())
  expect(vm).toMatchObject({ lifecycle: 'running' })
  expect(vm?.fault).toBeUndefined()
  driver.close()
})

test('a guest that waits for its host and is suspended stays so when there is room', async () => {
  const { clock, world, agent } = node()
  const driver = agent()
  await done(clock, driver.start(SPEC))
  await clock.advance(BOOT_MS + 1_000)
  world.fillDisk(true)
  await clock.advance(1_000)
  await done(clock, driver.pause(ID))
  world.fillDisk(false)
  await clock.advance(60_000)
  const [vm] = await done(clock, driver.list())
  expect(vm).toMatchObject({ lifecycle: 'paused' })
  expect(vm?.fault).toBeUndefined()
  await done(clock, driver.resume(ID))
  await clock.advance(1_000)
  expect(await done(clock, driver.list())).toMatchObject([{ lifecycle: 'running' }])
  driver.close()
})

test('law 6: a guest at rest costs questions only when somebody asks', async () => {
  const { clock, world, agent } = node()
  const driver = agent()
  await done(clock, driver.start(SPEC))
  await done(clock, driver.setMemoryTarget(ID, 512))
  await clock.advance(60_000)
  world.asked()
  await clock.advance(3_600_000)
  expect(world.asked()).toEqual([])
  await done(clock, driver.setMemoryTarget(ID, 512))
  expect(world.asked()).toEqual([])
  driver.close()
})

test('two archives never have one slot', async () => {
  const { clock, agent } = node()
  const driver = agent()
  await done(clock, driver.start(SPEC))
  await expect(done(clock, driver.start({ ...SPEC, id: 'b'.repeat(32) }))).rejects.toThrow('slot 1 is taken')
  driver.close()
})

test('two starts at once make one process', async () => {
  const { clock, world, agent } = node()
  const driver = agent()
  await done(clock, Promise.all([driver.start(SPEC), driver.start(SPEC)]))
  expect(world.running()).toEqual([ID])
  driver.close()
})

test('a floor that was lowered since the start binds as it is now', async () => {
  const { clock, agent } = node()
  const driver = agent()
  await done(clock, driver.start(SPEC))
  await clock.advance(BOOT_MS + 1_000)
  await done(clock, driver.setMemoryTarget(ID, 64, 96))
  expect(await done(clock, driver.list())).toMatchObject([{ memoryTargetMiB: 96, maxMiB: 1024 }])
  driver.close()
})

test('a VM that is over and whose disk is gone is forgotten', async () => {
  const { clock, files, world, agent } = node()
  const first = agent()
  await done(clock, first.start(SPEC))
  await done(clock, first.cut(ID))
  first.close()
  world.disks.clear()
  const second = agent()
  expect(await done(clock, second.list())).toEqual([])
  expect(await files.sub('vms').list()).toEqual([])
  second.close()
})

test('every end is told once', async () => {
  const { clock, world, agent } = node()
  world.behave(ID, { crashAfterMs: 1_000 })
  const driver = agent()
  const ends: VmEvent[] = []
  driver.subscribe((event) => void (event.type === 'ended' && ends.push(event)))
  for (let i = 0; i < 3; i++) {
    await done(clock, driver.start(SPEC))
    await clock.advance(BOOT_MS + 5_000)
  }
  expect(ends).toEqual(Array.from({ length: 3 }, () => ({ type: 'ended', id: ID, end: 'guest-panic' })))
  driver.close()
})
