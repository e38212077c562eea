// CPU weights by our own driver in a kernel with cgroup v2: the guest's, with one processor for all.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { linuxCgroup } from '../../../agent/drivers/cgroup/linux.ts'
import { cgroupConformance } from '../../../agent/drivers/conformance/cgroup.ts'
import { kernelFiles } from '../../../agent/drivers/kernel-files.ts'
import { systemClock } from '../../../base/clock.ts'
import { systemProcesses } from '../../../base/processes.ts'
import { type CgroupGuest, cgroupGuest } from './cgroup-guest.ts'

const A = 'a'.repeat(32)
const B = 'b'.repeat(32)
const C = 'c'.repeat(32)
const MEASURED_MS = 12_000

let guest: CgroupGuest
let saidAtFirst: string | undefined

beforeAll(async () => {
  guest = await cgroupGuest()
  saidAtFirst = guest.driver.unavailable()
  await guest.ask('enable')
  await guest.ask('unavailable')
}, 300_000)
afterAll(() => guest?.close())

test('where the controller is not enabled for our group, the reason holds the command that enables it', () => {
  expect(saidAtFirst).toContain('echo +cpu > /sys/fs/cgroup/cgroup.subtree_control')
})

cgroupConformance('linux, in a guest,', async () => {
  await guest.ask(`start ${C}`)
  return { driver: guest.driver, running: C, close: async () => void (await guest.ask(`stop ${C}`)) }
})

test('100 to 300 on one processor is 1 to 3', async () => {
  for (const [id, weight] of [
    [A, 100],
    [B, 300],
  ] as const) {
    await guest.ask(`start ${id}`)
    await guest.driver.setWeight(id, weight)
    expect(await guest.driver.weight(id)).toBe(weight)
  }
  const [a, b] = (await guest.ask(`share ${MEASURED_MS} ${A} ${B}`)) as [number, number]
  process.stderr.write(`weights 100:300 gave 1:${(b / a).toFixed(2)} (${a} and ${b} us of ${MEASURED_MS} ms)\n`)
  expect(b / a).toBeGreaterThan(2.7)
  expect(b / a).toBeLessThan(3.3)
})

test('the host’s share follows the weights of all', async () => {
  await guest.driver.reserve?.(200)
  expect(await guest.ask('weightOfAll')).toBe(200)
})

test('a group goes with its VM', async () => {
  expect(await guest.ask('groups')).toEqual(expect.arrayContaining([A, B]))
  await guest.ask(`stop ${A}`)
  expect(await guest.driver.weight(A)).toBeUndefined()
  expect(await guest.ask('groups')).not.toContain(A)
  expect(await guest.driver.weight(B)).toBe(300)
})

test('this host says what it is: weights can be set, or why not', async () => {
  const driver = linuxCgroup({
    processes: systemProcesses(),
    kernel: kernelFiles(),
    clock: systemClock(),
    pidOf: async () => undefined,
    // A group that is never made: nothing of this host is touched.
    folder: 'ppn-never-made',
    systemd: true,
  })
  const mountinfo = kernelFiles().read('/proc/self/mountinfo') ?? ''
  const mount = / (\S+) \S+(?: \S+)* - cgroup2 /.exec(mountinfo)?.[1]
  const controllers = mount === undefined ? '' : (kernelFiles().read(`${mount}/cgroup.controllers`) ?? '')
  if (/\bcpu\b/.test(controllers)) expect(driver.unavailable()).toBeUndefined()
  else expect(driver.unavailable()).toMatch(/^no cgroup v2 cpu controller/)
})
