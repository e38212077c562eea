import { expect, test } from 'vitest'
import { parseAgentConfig } from './config.ts'
import { userNamed } from './user.ts'

const parse = (text: string) => parseAgentConfig('/etc/ppn/agent.yaml', text)

test('an empty configuration is a real node, in the folders of a service', () => {
  expect(parse('')).toEqual({
    state: '/var/lib/ppn',
    run: '/run/ppn',
    log: { level: 'info', format: 'text' },
    images: { folders: ['/srv/ppn/images'], hosts: [] },
    vm: { user: 'ppn-vm', accelerator: 'auto' },
    drivers: { wireguard: 'real', vm: 'real', cgroup: 'real', image: 'real' },
    holding: {
      enabled: true,
      address: '::',
      port: 9443,
      scan: true,
      closed: false,
      open: [],
      confirm: 'person',
      operatorKey: '/etc/ppn/operator.pub',
      screens: ['/dev/console', '/run/issue.d/ppn.issue'],
    },
  })
})

test.each([
  ['state: relative', 'absolute path'],
  ['images: {hosts: ["https://a"]}', 'host or host:port'],
  ['vm: {user: "a b"}', 'name of a user'],
  ['drivers: {wireguard: simulated}', 'simulation.address'],
  ['drivers: {image: simulated}', 'real disks'],
  ['drivers: {vm: simulated}', 'simulate both'],
  ['holding: {address: "everywhere"}', 'IP address'],
  ['holding: {open: [ssh]}', 'number'],
  ['simulation: {address: "10.8.0"}', 'IPv4'],
])('%s is refused', (text, why) => {
  expect(() => parse(text)).toThrow(
    expect.objectContaining({ code: 'SettingsInvalid', message: expect.stringContaining(why) }),
  )
})

test('a user is found by the whole name alone', () => {
  const passwd = 'root:x:0:0:root:/root:/bin/bash\nppn-vm2:x:9:9::/:\nppn-vm:x:998:997:VMs:/:/usr/sbin/nologin\n'
  expect(userNamed('ppn-vm', passwd)).toEqual({ uid: 998, gid: 997 })
  expect(userNamed('ppn', passwd)).toBeUndefined()
})
