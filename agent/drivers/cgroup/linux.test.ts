import { expect, test } from 'vitest'
import type { Processes } from '../../../base/processes.ts'
import { virtualClock } from '../../../testing/virtual-clock.ts'
import { cgroupConformance } from '../conformance/cgroup.ts'
import type { KernelFiles } from '../kernel-files.ts'
import { cpuIsV1, weightOfAll } from './hierarchy.ts'
import { linuxCgroup } from './linux.ts'

const A = 'a'.repeat(32)
const B = 'b'.repeat(32)
const MOUNT = '/sys/fs/cgroup'
const MOUNTINFO = `22 1 0:20 / /proc rw - proc proc rw
27 24 0:24 / ${MOUNT} rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate
`

interface Group {
  subtree: boolean
  weight: number
  pids: Set<number>
}

/** As much of cgroup v2 as the driver meets: controllers come down one level at a time, full groups are not removed. */
function tree(options: { controllers?: string; enabled?: boolean; mountinfo?: string; cgroups?: string } = {}) {
  const groups = new Map<string, Group>()
  const make = (path: string): Group => {
    const group = { subtree: false, weight: 100, pids: new Set<number>() }
    groups.set(path, group)
    return group
  }
  const root = make(MOUNT)
  root.subtree = options.enabled ?? true
  for (const pid of [10, 11]) root.pids.add(pid)
  const parentOf = (path: string) => groups.get(path.slice(0, path.lastIndexOf('/')))
  const move = (pid: number, path: string) => {
    for (const group of groups.values()) group.pids.delete(pid)
    groups.get(path)?.pids.add(pid)
  }
  const read = (path: string): string | undefined => {
    if (path === '/proc/self/mountinfo') return options.mountinfo ?? MOUNTINFO
    if (path === '/proc/cgroups') return options.cgroups ?? '#subsys_name\thierarchy\ncpu\t0\t5\t1\n'
    const pid = /^\/proc\/(\d+)\/cgroup$/.exec(path)?.[1]
    if (pid !== undefined) {
      const found = [...groups].find(([, group]) => group.pids.has(Number(pid)))?.[0]
      return found === undefined ? undefined : `0::${found.slice(MOUNT.length) || '/'}\n`
    }
    const at = path.lastIndexOf('/')
    const [folder, file] = [path.slice(0, at), path.slice(at + 1)]
    const group = groups.get(folder)
    if (!group) return undefined
    const hasCpu =
      folder === MOUNT ? (options.controllers ?? 'cpuset cpu io').includes('cpu ') : parentOf(folder)?.subtree
    if (file === 'cgroup.controllers')
      return folder === MOUNT ? (options.controllers ?? 'cpuset cpu io') : hasCpu ? 'cpu' : ''
    if (file === 'cpu.weight' && hasCpu && folder !== MOUNT) return `${group.weight}\n`
    return undefined
  }
  const written: string[] = []
  const kernel: KernelFiles = {
    read,
    write(path, text) {
      written.push(path)
      const at = path.lastIndexOf('/')
      const group = groups.get(path.slice(0, at))
      if (!group) throw new Error(`ENOENT ${path}`)
      if (path.endsWith('/cpu.weight')) group.weight = Number(text)
      else if (path.endsWith('/cgroup.procs')) move(Number(text), path.slice(0, at))
      else if (path.endsWith('/cgroup.subtree_control')) group.subtree = text.includes('+cpu')
      else throw new Error(`EINVAL ${path}`)
    },
    makeFolder: (path) => {
      written.push(path)
      if (!groups.has(path)) make(path)
    },
    removeFolder: (path) => {
      if (!groups.has(path) || groups.get(path)?.pids.size) return false
      return groups.delete(path)
    },
    folders: (path) =>
      [...groups.keys()]
        .filter((g) => g.startsWith(`${path}/`) && !g.slice(path.length + 1).includes('/'))
        .map((g) => g.slice(path.length + 1)),
  }
  return { kernel, groups, make, move, written }
}

const NO_PROGRAMS: Processes = { run: () => Promise.reject(new Error('no program is needed')) }

function plain(options: Parameters<typeof tree>[0] = {}) {
  const cgroups = tree(options)
  const pids = new Map([
    [A, 10],
    [B, 11],
  ])
  const clock = virtualClock()
  const driver = linuxCgroup({
    processes: NO_PROGRAMS,
    kernel: cgroups.kernel,
    clock,
    pidOf: async (id) => pids.get(id),
    systemd: false,
  })
  return { ...cgroups, driver, pids, clock }
}

/** systemd over the same tree: busctl's calls, answered as the manager does. */
function scopes() {
  const cgroups = tree()
  const pids = new Map([
    [A, 10],
    [B, 11],
  ])
  const calls: string[][] = []
  const groupOf = (unit: string) => `${MOUNT}/ppn.slice${unit === 'ppn.slice' ? '' : `/${unit}`}`
  const processes: Processes = {
    async run(command, args) {
      expect(command).toBe('busctl')
      const [method = '', , unit = '', ...rest] = args.slice(4)
      calls.push([method, unit])
      const group = groupOf(unit)
      if (method === 'StartTransientUnit') {
        if (cgroups.groups.has(group)) return { exitCode: 1, stdout: '', stderr: `Unit ${unit} was already loaded` }
        if (!cgroups.groups.has(groupOf('ppn.slice'))) cgroups.make(groupOf('ppn.slice')).subtree = true
        cgroups.make(group)
        cgroups.move(Number(rest[rest.indexOf('PIDs') + 3]), group)
      } else if (method === 'AttachProcessesToUnit') cgroups.move(Number(rest.at(-1)), group)
      else if (method === 'SetUnitProperties') cgroups.kernel.write(`${group}/cpu.weight`, rest.at(-1) ?? '')
      else expect.unreachable(method)
      return { exitCode: 0, stdout: '', stderr: '' }
    },
  }
  const clock = virtualClock()
  const driver = linuxCgroup({
    processes,
    kernel: cgroups.kernel,
    clock,
    pidOf: async (id) => pids.get(id),
    systemd: true,
  })
  return { ...cgroups, driver, pids, calls, clock }
}

cgroupConformance('linux, plain groups over a modelled tree,', async () => ({
  driver: plain().driver,
  running: A,
  close: async () => {},
}))

cgroupConformance('linux, systemd scopes over a modelled tree,', async () => ({
  driver: scopes().driver,
  running: A,
  close: async () => {},
}))

test('a VM has a group of its own, and nothing outside our own group is written', async () => {
  const { driver, groups, written } = plain()
  await driver.setWeight(A, 300)
  expect([...(groups.get(`${MOUNT}/ppn/${A}`)?.pids ?? [])]).toEqual([10])
  expect(groups.get(`${MOUNT}/ppn/${A}`)?.weight).toBe(300)
  expect(written.filter((path) => !path.startsWith(`${MOUNT}/ppn`))).toEqual([])
})

test('what is read is the kernel’s word: a process moved elsewhere has no group, and is put back with its next weight', async () => {
  const { driver, groups, make, move } = plain()
  await driver.setWeight(A, 300)
  make(`${MOUNT}/elsewhere`)
  move(10, `${MOUNT}/elsewhere`)
  expect(await driver.weight(A)).toBeUndefined()
  await driver.setWeight(A, 300)
  expect(await driver.weight(A)).toBe(300)
  expect(groups.get(`${MOUNT}/elsewhere`)?.pids.size).toBe(0)
})

test('the group of a VM that is gone is removed; those of the others stay', async () => {
  const { driver, groups, pids } = plain()
  await driver.setWeight(A, 300)
  await driver.setWeight(B, 200)
  groups.get(`${MOUNT}/ppn/${A}`)?.pids.clear()
  pids.delete(A)
  expect(await driver.weight(A)).toBeUndefined()
  expect(groups.has(`${MOUNT}/ppn/${A}`)).toBe(false)
  expect(await driver.weight(B)).toBe(200)
})

test('a VM without a process has no weight, and none can be set', async () => {
  const { driver, pids } = plain()
  pids.delete(A)
  await expect(driver.setWeight(A, 100)).rejects.toThrow('no process')
})

test.each([
  ['v1 has the controller', { controllers: 'hugetlb', cgroups: 'cpu\t1\t1\t1\n' }, 'cgroup v1 has it'],
  ['the kernel has none', { controllers: '' }, 'the kernel has none'],
  ['no cgroup2 is mounted', { mountinfo: '22 1 0:20 / /proc rw - proc proc rw\n' }, 'no cgroup2 file system'],
  ['it is not enabled below', { enabled: false }, `echo +cpu > ${MOUNT}/cgroup.subtree_control`],
])('where %s, the reason says so and weights are refused with it', async (_what, options, reason) => {
  const { driver } = plain(options)
  expect(driver.unavailable()).toContain(reason)
  await expect(driver.setWeight(A, 100)).rejects.toThrow(reason)
  await driver.reserve?.(100)
  expect(await driver.weight(A)).toBeUndefined()
})

test('the host gets what one more VM of its weight would', async () => {
  const { driver, groups } = plain()
  await driver.reserve?.(200)
  await driver.setWeight(A, 300)
  await driver.setWeight(B, 100)
  // The host beside us weighs 100: 100 to 200 is as 200 to 300 + 100.
  expect(groups.get(`${MOUNT}/ppn`)?.weight).toBe(200)
  await driver.reserve?.(400)
  expect(groups.get(`${MOUNT}/ppn`)?.weight).toBe(100)
  groups.get(`${MOUNT}/ppn/${A}`)?.pids.clear()
  await driver.reserve?.(100)
  expect(groups.get(`${MOUNT}/ppn`)?.weight).toBe(100)
  expect(weightOfAll([10_000, 10_000], 1)).toBe(10_000)
  expect(weightOfAll([1], 10_000)).toBe(1)
})

test('with systemd, asking again calls nobody', async () => {
  const { driver, calls } = scopes()
  await driver.enter?.(A)
  await driver.setWeight(A, 300)
  await driver.reserve?.(100)
  expect(calls).toEqual([
    ['StartTransientUnit', `ppn-${A}.scope`],
    ['SetUnitProperties', `ppn-${A}.scope`],
    ['SetUnitProperties', 'ppn.slice'],
  ])
  await driver.enter?.(A)
  await driver.setWeight(A, 300)
  await driver.reserve?.(100)
  expect(calls).toHaveLength(3)
})

test('with systemd, a VM started again before its old scope ended joins that scope', async () => {
  const { driver, calls, pids } = scopes()
  await driver.enter?.(A)
  pids.set(A, 11)
  await driver.enter?.(A)
  expect(calls.map(([method]) => method)).toEqual(['StartTransientUnit', 'StartTransientUnit', 'AttachProcessesToUnit'])
  await driver.setWeight(A, 50)
  expect(await driver.weight(A)).toBe(50)
})

test('/proc/cgroups tells whether v1 holds the controller', () => {
  expect(cpuIsV1('#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpuset\t3\t1\t1\ncpu\t1\t1\t1\n')).toBe(true)
  expect(cpuIsV1('cpu\t0\t140\t1\n')).toBe(false)
})
