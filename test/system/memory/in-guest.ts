// Runs inside a guest: our CPU group driver over the guest's own cgroup v2, told what to do line by line on the
// console. Stands in for VMs with processes that do nothing but compute.
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { linuxCgroup } from '../../../agent/drivers/cgroup/linux.ts'
import { kernelFiles } from '../../../agent/drivers/kernel-files.ts'
import { systemClock } from '../../../base/clock.ts'

const ROOT = '/sys/fs/cgroup'
const kernel = kernelFiles()
const vms = new Map<string, ChildProcess>()
const driver = linuxCgroup({
  processes: { run: () => Promise.reject(new Error('no program is needed')) },
  kernel,
  clock: systemClock(),
  pidOf: async (id) => vms.get(id)?.pid,
  systemd: false,
})

const spin = () => spawn('/bin/busybox', ['sh', '-c', 'while :; do :; done'], { stdio: 'ignore' })
const usage = (group: string) => Number(/^usage_usec (\d+)$/m.exec(kernel.read(`${ROOT}/${group}/cpu.stat`) ?? '')?.[1])

/** What comes back is printed on a line before `ok`. */
const COMMANDS: Record<string, (...args: string[]) => Promise<unknown> | unknown> = {
  start: (id = '') => void vms.set(id, spin()),
  stop: (id = '') =>
    new Promise<void>((resolve) => {
      const vm = vms.get(id)
      vms.delete(id)
      vm?.once('exit', () => resolve())
      vm?.kill('SIGKILL')
    }),
  enter: (id = '') => driver.enter?.(id),
  weight: (id = '') => driver.weight(id),
  set: (id = '', weight = '') => driver.setWeight(id, Number(weight)),
  reserve: (weight = '') => driver.reserve?.(Number(weight)),
  unavailable: () => driver.unavailable(),
  groups: () => kernel.folders(`${ROOT}/ppn`),
  enable: () => kernel.write(`${ROOT}/cgroup.subtree_control`, '+cpu'),
  weightOfAll: () => Number(kernel.read(`${ROOT}/ppn/cpu.weight`)),
  /** Microseconds of processor that each got while so many milliseconds passed. */
  share: async (ms = '', ...ids: string[]) => {
    const before = ids.map((id) => usage(`ppn/${id}`))
    await new Promise((resolve) => setTimeout(resolve, Number(ms)))
    return ids.map((id, i) => usage(`ppn/${id}`) - before[i]!)
  },
}

process.stdout.write('in-guest ready\n')
for await (const line of createInterface({ input: process.stdin })) {
  const [name = '', ...args] = line.trim().split(' ')
  if (name === 'quit') break
  try {
    const found = await COMMANDS[name]?.(...args)
    process.stdout.write(`answer ${JSON.stringify(found ?? null)}\nok ${name}\n`)
  } catch (error) {
    process.stdout.write(`${error instanceof Error ? error.message : String(error)}\nfailed ${name}\n`)
  }
}
for (const vm of vms.values()) vm.kill('SIGKILL')
process.exit(0)
