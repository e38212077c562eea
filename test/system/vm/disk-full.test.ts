// The host has no room for what a guest writes. Room is a tmpfs in a mount namespace of the agent's own, so that the
// host's mounts are as they were; it goes with its last process.
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { VmState } from '../../../agent/drivers/vm/port.ts'
import { runPaths } from '../../../agent/drivers/vm/qemu/arguments.ts'
import { runOk, systemProcesses } from '../../../base/processes.ts'
import { socketConsole } from '../../../hack/guest/console.ts'
import { agentProcess } from './agent-process.ts'
import { until, type VmHost, vmHost } from './host.ts'

/** More than the guest writes by itself while it boots, less than it will be told to. */
const ROOM_KIB = 4096
const WRITES_MIB = 16

let host: VmHost
beforeAll(async () => {
  host = await vmHost()
})
afterAll(() => host.close())

test('a full host disk pauses the guest, is told as such, and costs it nothing when there is room again', async () => {
  const whole = await host.spec('willing')
  const room = path.join(path.dirname(whole.disk), 'room')
  await mkdir(room)
  // The copy may have more holes than the disk: what it takes is asked of itself.
  const enter = [
    `mount -t tmpfs room ${room}`,
    `cp --sparse=always ${whole.disk} ${room}/disk`,
    `mount -o remount,size=$(($(du -k ${room}/disk | cut -f 1) + ${ROOM_KIB}))k ${room}`,
    'exec "$0" "$@"',
  ].join(' && ')
  const agent = agentProcess(host, ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', enter])
  const spec = { ...whole, disk: `${room}/disk` }
  await agent.call('start', spec)
  const pid = await agent.call<number>('pidOf', spec.id)
  const guest = socketConsole(runPaths(host.runFolder, spec.slot).console)
  await guest.ready()
  const written = guest.ask(`sh dd if=/dev/urandom of=/data/big bs=1M count=${WRITES_MIB} && sync`)
  const look = async () => (await agent.call<VmState[]>('list'))[0]
  const full = await until(look, (vm) => vm?.fault !== undefined)
  expect(full).toMatchObject({ lifecycle: 'paused', fault: 'DiskFull' })

  await runOk(systemProcesses(), 'nsenter', ['-t', String(pid), '-m', 'mount', '-o', 'remount,size=256m', room])
  await until(look, (vm) => vm?.lifecycle === 'running' && vm.fault === undefined)
  await written
  expect(await guest.ask('sh dmesg | grep -c "I/O error" || true')).toContain('0')
  guest.close()
  process.kill(pid, 'SIGKILL')
  await agent.kill()
})
