// What becomes of real VMs when agents, QEMU and guests die.
import { readFileSync, statSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { VmSpec, VmState } from '../../../agent/drivers/vm/port.ts'
import { runPaths } from '../../../agent/drivers/vm/qemu/arguments.ts'
import { runOk, systemProcesses } from '../../../base/processes.ts'
import { type GuestConsole, socketConsole } from '../../../hack/guest/console.ts'
import { agentProcess } from './agent-process.ts'
import { boot, stateOf, until, type VmHost, vmHost } from './host.ts'

let host: VmHost
beforeAll(async () => {
  host = await vmHost()
})
afterAll(() => host.close())

const consoleOf = (spec: VmSpec): GuestConsole => socketConsole(runPaths(host.runFolder, spec.slot).console)
const field = (pid: number, name: string) =>
  new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]

test('a VM outlives the SIGKILL of its agent: the next one finds the same process, and the guest never noticed', async () => {
  const spec = await host.spec('willing')
  const agent = agentProcess(host)
  await agent.call('start', spec)
  const pid = await agent.call<number>('pidOf', spec.id)
  const guest = consoleOf(spec)
  await guest.ready()
  await guest.ask('write witness alive')
  await agent.kill()

  const next = agentProcess(host)
  const [found] = await next.call<VmState[]>('list')
  expect(found).toMatchObject({ id: spec.id, slot: spec.slot, lifecycle: 'running' })
  expect(found?.cpuTimeMs).toBeGreaterThan(0)
  expect(await next.call('pidOf', spec.id)).toBe(pid)
  await next.call('start', spec)
  expect(await next.call('pidOf', spec.id)).toBe(pid)
  expect(await guest.ask('read witness')).toContain('alive')
  await next.kill()

  await unprivileged(pid, spec)
  await notTwiceFromOneDisk(spec)

  // Nobody is there when the guest panics, and when QEMU is killed.
  guest.tell('panic')
  const third = host.driver()
  const panicked = await until(
    () => stateOf(third, spec),
    ({ lifecycle }) => lifecycle === 'crashed',
  )
  expect(panicked.end).toBe('guest-panic')
  guest.close()
  await boot(third, spec)
  const again = (await third.pidOf(spec.id)) as number
  expect(again).not.toBe(pid)
  third.close()
  process.kill(again, 'SIGKILL')
  const fourth = host.driver()
  const killed = await until(
    () => stateOf(fourth, spec),
    ({ lifecycle }) => lifecycle === 'crashed',
  )
  expect(killed.end).toBe('process-died')
  fourth.close()
})

/** Law 8 and section 8b: nobody's process, sandboxed; disk and monitor are out of reach for it and its like. */
async function unprivileged(pid: number, spec: VmSpec): Promise<void> {
  expect(field(pid, 'Uid')?.split('\t')).toEqual(['65534', '65534', '65534', '65534'])
  expect(field(pid, 'CapEff')).toBe('0000000000000000')
  // SECCOMP_MODE_FILTER of seccomp(2).
  expect(field(pid, 'Seccomp')).toBe('2')
  expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).not.toContain(spec.disk)
  const { uid, mode } = statSync(runPaths(host.runFolder, spec.slot).folder)
  expect([uid, mode & 0o777]).toEqual([0, 0o700])
}

async function notTwiceFromOneDisk(spec: VmSpec): Promise<void> {
  const other = await host.spec('willing')
  const driver = host.driver()
  await expect(driver.start({ ...other, disk: spec.disk })).rejects.toThrow(/lock/)
  const listed = await driver.list()
  expect(listed.find(({ id }) => id === other.id)?.lifecycle).toBe('crashed')
  expect(listed.find(({ id }) => id === spec.id)?.lifecycle).toBe('running')
  driver.close()
}

test('a qcow2 disk keeps what the guest wrote, over a graceful stop and over QEMU being killed', async () => {
  const raw = await host.spec('willing')
  const disk = `${raw.disk}.qcow2`
  await runOk(systemProcesses(), 'qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw.disk, disk])
  const spec: VmSpec = { ...raw, disk, format: 'qcow2' }
  const driver = host.driver()
  const ends: string[] = []
  driver.subscribe((event) => void (event.type === 'ended' && ends.push(event.end)))
  await boot(driver, spec)
  const first = consoleOf(spec)
  await first.ready()
  await first.ask('write a one')
  first.close()
  await driver.stop(spec.id)
  await until(
    () => stateOf(driver, spec),
    ({ lifecycle }) => lifecycle === 'stopped',
  )
  await boot(driver, spec)
  const second = consoleOf(spec)
  await second.ready()
  expect(await second.ask('read a')).toContain('one')
  await second.ask('write b two')
  second.close()
  process.kill((await driver.pidOf(spec.id)) as number, 'SIGKILL')
  await until(
    () => stateOf(driver, spec),
    ({ lifecycle }) => lifecycle === 'crashed',
  )
  await boot(driver, spec)
  const third = consoleOf(spec)
  await third.ready()
  expect(await third.ask('read b')).toContain('two')
  third.close()
  expect(ends).toEqual(['guest-shutdown', 'process-died'])
  expect(await host.consoleLog(spec)).toContain('ppn guest ready')
  await driver.cut(spec.id)
  driver.close()
})
