import { expect, test } from 'vitest'
import { PpnError } from '../../base/errors.ts'
import { silentLogger } from '../../base/log.ts'
import type { Processes } from '../../base/processes.ts'
import { virtualClock } from '../../testing/virtual-clock.ts'
import type { KernelFiles } from './kernel-files.ts'
import { vmOverhead, vmResidence } from './linux-host/vm-overhead.ts'
import { linuxHost } from './linux-host.ts'

const MEMINFO = `MemTotal:       24684292 kB
MemFree:        23806208 kB
MemAvailable:   24163584 kB
Buffers:            1024 kB
`
const PSI = 'some avg10=12.50 avg60=3.00 avg300=0.00 total=123\nfull avg10=1.00 avg60=0.00 avg300=0.00 total=1\n'

const kernelOf = (files: Record<string, string>): KernelFiles => ({
  read: (path) => files[path],
  write: () => expect.unreachable(),
  makeFolder: () => expect.unreachable(),
  removeFolder: () => expect.unreachable(),
  folders: () => [],
})

/** Programs that answer; any other is not on the machine. */
function programs(answers: Record<string, string>) {
  const asked: string[] = []
  const processes: Processes = {
    async run(command, args) {
      asked.push([command, ...args].join(' '))
      const stdout = answers[command]
      if (stdout === undefined) throw new PpnError('ProgramMissing', { command })
      return { exitCode: 0, stdout, stderr: '' }
    },
  }
  return { processes, asked }
}

function host(files: Record<string, string>, answers: Record<string, string> = {}) {
  const clock = virtualClock()
  const { processes, asked } = programs(answers)
  return { clock, asked, driver: linuxHost({ processes, kernel: kernelOf(files), clock, log: silentLogger() }) }
}

test('capacity and usage are what the kernel says', async () => {
  const { driver } = host({ '/proc/meminfo': MEMINFO, '/proc/pressure/memory': PSI })
  expect((await driver.capacity()).memoryMiB).toBe(24684292 / 1024)
  expect((await driver.capacity()).cpus).toBeGreaterThan(0)
  expect(await driver.usage()).toEqual({ memoryFreeMiB: 24163584 / 1024, psiSomeAvg10: 12.5 })
})

test('a kernel without PSI counts as without pressure, and the reason is given', async () => {
  const { driver } = host({ '/proc/meminfo': MEMINFO })
  expect(await driver.usage()).toMatchObject({ psiSomeAvg10: 0, psiUnavailable: expect.stringContaining('CONFIG_PSI') })
})

test('a meminfo that cannot be read is an error, never zero', async () => {
  const { driver } = host({})
  await expect(driver.usage()).rejects.toThrow('MemAvailable')
})

const busybox = (maxerror: number, status: string) =>
  `    mode:         0\n    maxerror:     ${maxerror}\n    status:       ${status}\n`
const tracking = (leap: string) => `C0A80001,192.168.0.1,3,1.5,0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,64.2,${leap}\n`

test.each([
  ['the kernel', { busybox: busybox(120_000, '0') }, true],
  ['the kernel, set by a chronyd without rtcsync', { busybox: busybox(120_000, '64 (UNSYNC)') }, true],
  ['the kernel that gave up', { busybox: busybox(16_000_000, '64 (UNSYNC)'), timedatectl: 'yes\n' }, false],
  ['timedatectl', { timedatectl: 'yes\n', chronyc: tracking('Not synchronised') }, true],
  ['timedatectl', { timedatectl: 'no\n', chronyc: tracking('Normal') }, false],
  [
    'a busybox without the applet, then timedatectl',
    { busybox: 'adjtimex: applet not found', timedatectl: 'yes' },
    true,
  ],
  ['chronyc', { chronyc: tracking('Normal') }, true],
  ['chronyc', { chronyc: tracking('Not synchronised') }, false],
  ['nobody', {}, false],
])('synchronised, as told by %s', async (_who, answers, expected) => {
  expect(await host({}, answers as Record<string, string>).driver.clockSynchronised()).toBe(expected)
})

test('with nobody to ask, the mark of systemd-timesyncd counts', async () => {
  expect(await host({ '/run/systemd/timesync/synchronized': '' }).driver.clockSynchronised()).toBe(true)
})

test('the clock is asked at most every 10 s', async () => {
  const { driver, asked, clock } = host({}, { busybox: busybox(1, '0') })
  await driver.clockSynchronised()
  await clock.advance(9_000)
  await driver.clockSynchronised()
  expect(asked).toEqual(['busybox adjtimex'])
  await clock.advance(1_000)
  await driver.clockSynchronised()
  expect(asked).toHaveLength(2)
})

const mapping = (sizeKiB: number, rssKiB: number) => `7f00-7f10 rw-p 00000000 00:00 0
Size:           ${sizeKiB} kB
KernelPageSize:        4 kB
MMUPageSize:           4 kB
Rss:            ${rssKiB} kB
Pss:            ${rssKiB} kB
VmFlags: rd wr mr
`

test('overhead is what is resident beside the mapping of the guest', () => {
  const smaps = mapping(1024 * 1024, 300 * 1024) + mapping(65536, 40 * 1024) + mapping(132, 0) + mapping(4096, 4096)
  expect(vmResidence(smaps, 1024)).toEqual({ guestMiB: 300, overheadMiB: 44 })
  expect(vmResidence(smaps, 2048)).toBeUndefined()
})

test('overhead is the mean over the VMs in steps of 16 MiB, measured once a minute, and never falls', async () => {
  const clock = virtualClock()
  const files: Record<string, string> = {}
  const running = new Map<number, number>()
  const measure = vmOverhead({
    kernel: kernelOf(files),
    clock,
    processes: async () => [...running.keys()].map((pid) => ({ pid, maxMiB: 256 })),
  })
  const vm = (pid: number, overheadMiB: number) => {
    running.set(pid, overheadMiB)
    files[`/proc/${pid}/smaps`] = mapping(256 * 1024, 1024) + mapping(999 * 1024, overheadMiB * 1024)
  }
  expect(await measure()).toBeUndefined()
  vm(1, 50)
  vm(2, 90)
  expect(await measure()).toBeUndefined()
  await clock.advance(60_000)
  expect(await measure()).toBe(80)
  vm(2, 20)
  await clock.advance(60_000)
  expect(await measure()).toBe(80)
})
