import { expect, test } from 'vitest'
import { virtualClock } from '../testing/virtual-clock.ts'
import { silentLogger } from './log.ts'
import type { Processes } from './processes.ts'
import { keepWatchdog, serviceManager } from './service-manager.ts'

function systemd(env: Record<string, string>, exitCode = 0) {
  const told: string[] = []
  const processes: Processes = {
    run: async (command, args, options) => {
      expect([command, options?.env]).toEqual(['systemd-notify', { NOTIFY_SOCKET: '/run/notify' }])
      told.push(args.join(' '))
      return { exitCode, stdout: '', stderr: 'no' }
    },
  }
  return { told, manager: serviceManager({ processes, log: silentLogger(), env, pid: 7 }) }
}
const SOCKET = { NOTIFY_SOCKET: '/run/notify' }

test('without systemd nobody is told anything, and no sign of life is due', async () => {
  const { told, manager } = systemd({ WATCHDOG_USEC: '90000000' })
  await manager.ready('up')
  await manager.stopping()
  expect({ told, watchdogMs: manager.watchdogMs }).toEqual({ told: [], watchdogMs: undefined })
})

test('systemd is told that the service is up, how it is and that it stops', async () => {
  const { told, manager } = systemd(SOCKET)
  await manager.ready('3 archives')
  await manager.status('4 archives')
  await manager.stopping()
  expect(told).toEqual(['--ready --status=3 archives', '--status=4 archives', 'STOPPING=1'])
})

test('a systemd that cannot be told stops nothing', async () => {
  await expect(systemd(SOCKET, 1).manager.ready('up')).resolves.toBeUndefined()
})

test('the watchdog of another process is not ours', () => {
  const env = { ...SOCKET, WATCHDOG_USEC: '90000000' }
  expect(systemd({ ...env, WATCHDOG_PID: '8' }).manager.watchdogMs).toBeUndefined()
  expect(systemd({ ...env, WATCHDOG_PID: '7' }).manager.watchdogMs).toBe(90_000)
})

test.each([
  ['says so', async () => true, 4],
  ['says no', async () => false, 0],
  ['fails', () => Promise.reject(new Error('broken')), 0],
  ['never answers', () => new Promise<boolean>(() => {}), 0],
])('a loop that %s gives its signs of life accordingly', async (_, alive, signs) => {
  const clock = virtualClock()
  const { told, manager } = systemd({ ...SOCKET, WATCHDOG_USEC: '90000000' })
  const ending = new AbortController()
  keepWatchdog({ manager, clock, log: silentLogger(), alive }, ending.signal)
  await clock.advance(90_000)
  expect(told).toEqual(Array(signs).fill('WATCHDOG=1'))
  ending.abort()
  await clock.advance(90_000)
  expect(told).toHaveLength(signs)
})
