import { expect, test } from 'vitest'
import { report } from '../verbs/doctor.ts'
import { AUTHORITY_CHECKS, type AuthorityFacts } from './authority.ts'
import { type Finding, runChecks } from './finding.ts'
import { type MachineFacts, machineChecks } from './machine.ts'
import { missingCapabilities, NODE_CHECKS, type NodeFacts } from './node.ts'
import { listeningIn } from './probe.ts'

const MACHINE: MachineFacts = {
  nodeVersion: 'v24.1.0',
  systemd: true,
  clockSynchronised: true,
  inotify: { instances: 128, watches: 65536 },
  state: { path: '/var/lib/ppn', exists: true, mode: 0o40700, fileSystem: 0xef53, freeMiB: 50_000 },
  openKeys: [],
  service: { installed: true, active: true },
  listening: [],
}
const NODE: NodeFacts = {
  ...MACHINE,
  uid: 0,
  missingCapabilities: [],
  programs: new Set(['ip', 'wg', 'wireguard-go', 'nft', 'qemu-system-x86_64', 'qemu-img']),
  kernelWireGuard: true,
  tunRefusal: undefined,
  qemuVersion: '7.2.17',
  accelerator: { accelerator: 'kvm', because: '/dev/kvm runs 64-bit code' },
  cgroupRefusal: undefined,
  psi: true,
  systemBus: true,
  vmUser: { name: 'ppn-vm', exists: true },
  imageFolders: [{ path: '/srv/ppn/images', exists: true }],
  interfaces: [{ name: 'ppn0', forwarding: true }],
  hub: true,
  machines: [],
  firewallTables: [],
}
const AUTHORITY: AuthorityFacts = {
  ...MACHINE,
  stateRefusal: undefined,
  fleet: { path: '/etc/ppn/fleet', exists: true, fileSystem: 0xef53, objects: 4, errors: 0, git: true },
  operatorSecret: undefined,
}
const NEEDS = { service: 'agent', ports: ['udp 51820', 'tcp 8092'], leastFreeMiB: 1024 } as const

const without = (...programs: string[]) => ({
  programs: new Set([...NODE.programs].filter((name) => !programs.includes(name))),
})
const idle = { installed: true, active: false }

const NODE_CASES: [string, Partial<NodeFacts>, Finding['verdict'], RegExp][] = [
  ['rights', { uid: 1000, missingCapabilities: ['CAP_NET_ADMIN'] }, 'lacks', /as root/],
  ['rights', { missingCapabilities: ['CAP_KILL'] }, 'lacks', /container/],
  ['ip', without('ip'), 'lacks', /iproute2/],
  ['wg', without('wg'), 'lacks', /wireguard-tools/],
  ['WireGuard', { kernelWireGuard: false, ...without('wireguard-go') }, 'lacks', /wireguard-go/],
  ['WireGuard', { kernelWireGuard: false, tunRefusal: 'ENOENT' }, 'lacks', /modprobe tun/],
  ['nft', without('nft'), 'warns', /nftables/],
  ['forwarding', { interfaces: [{ name: 'ppn0', forwarding: false }] }, 'lacks', /conf\.ppn0\.forwarding=1/],
  ['QEMU', { qemuVersion: undefined }, 'lacks', /qemu-system-x86/],
  ['QEMU', { qemuVersion: '5.2.0' }, 'lacks', /Debian 12/],
  ['KVM', { accelerator: { accelerator: 'tcg', because: 'there is no /dev/kvm' } }, 'warns', /kvm_intel/],
  ['KVM', { accelerator: { accelerator: 'tcg', because: 'QEMU ended' } }, 'warns', /dmesg/],
  ['qemu-img', without('qemu-img'), 'warns', /qemu-utils/],
  ['VM user', { vmUser: { name: 'ppn-vm', exists: false } }, 'warns', /service install agent/],
  ['images', { imageFolders: [{ path: '/x', exists: false }] }, 'warns', /mkdir -p \/x/],
  ['CPU weights', { cgroupRefusal: 'no cgroup2' }, 'warns', /unified_cgroup_hierarchy/],
  ['D-Bus', { systemBus: false }, 'warns', /dbus/],
  ['pressure', { psi: false }, 'warns', /psi=1/],
  ['left over', { service: idle }, 'warns', /systemctl start ppn-agent/],
]
test.each(NODE_CASES)('node: %s with %j', (check, facts, verdict, fix) => {
  const good = runChecks(NODE_CHECKS, NODE).filter((finding) => finding.check === check)
  expect(good.filter((finding) => finding.verdict !== 'ok')).toEqual([])
  const [found] = runChecks(NODE_CHECKS, { ...NODE, ...facts }).filter((finding) => finding.check === check)
  expect(found).toMatchObject({ check, verdict, fix: expect.stringMatching(fix) })
})

const MACHINE_CASES: [string, Partial<MachineFacts>, Finding['verdict'], RegExp][] = [
  ['Node.js', { nodeVersion: 'v20.9.0' }, 'lacks', /optional/],
  ['systemd', { systemd: false }, 'warns', /by what does/],
  ['service', { service: { installed: false, active: false } }, 'warns', /ppn service install agent/],
  ['service', { service: idle }, 'warns', /systemctl enable --now ppn-agent/],
  ['clock', { clockSynchronised: false }, 'warns', /timesyncd/],
  ['inotify', { inotify: { instances: 8, watches: 1 } }, 'warns', /max_user_instances/],
  ['state folder', { state: { ...MACHINE.state, mode: 0o40755 } }, 'lacks', /chmod 0700/],
  ['state folder', { state: { ...MACHINE.state, fileSystem: 0x6969 } }, 'lacks', /local disk/],
  ['disk space', { state: { ...MACHINE.state, freeMiB: 10 } }, 'warns', /1024 MiB/],
  ['private files', { openKeys: [{ path: '/k', mode: 0o100644 }] }, 'lacks', /chmod 0600 \/k/],
  ['ports', { service: idle, listening: ['udp 51820'] }, 'warns', /ss -lpn -u sport = :51820/],
]
test.each(MACHINE_CASES)('machine: %s with %j', (check, facts, verdict, fix) => {
  expect(runChecks(machineChecks(NEEDS), MACHINE).filter((finding) => finding.verdict !== 'ok')).toEqual([])
  const [found] = runChecks(machineChecks(NEEDS), { ...MACHINE, ...facts }).filter((f) => f.check === check)
  expect(found).toMatchObject({ check, verdict, fix: expect.stringMatching(fix) })
})

const AUTHORITY_CASES: [string, Partial<AuthorityFacts>, Finding['verdict'], RegExp][] = [
  ['state folder', { stateRefusal: { message: 'lies in git', hint: 'elsewhere' } }, 'lacks', /elsewhere/],
  ['fleet folder', { fleet: { ...AUTHORITY.fleet, exists: false } }, 'lacks', /mkdir/],
  ['fleet folder', { fleet: { ...AUTHORITY.fleet, errors: 2 } }, 'lacks', /ppn validate/],
  ['fleet folder', { fleet: { ...AUTHORITY.fleet, objects: 0 } }, 'warns', /examples/],
  ['fleet changes', { fleet: { ...AUTHORITY.fleet, fileSystem: 0x6969 } }, 'warns', /local clone/],
  ['history', { fleet: { ...AUTHORITY.fleet, git: false } }, 'warns', /git -C/],
  ['operator key', { operatorSecret: '/k/operator.secret' }, 'warns', /off this machine/],
]
test.each(AUTHORITY_CASES)('authority: %s with %j', (check, facts, verdict, fix) => {
  expect(runChecks(AUTHORITY_CHECKS, AUTHORITY).filter((finding) => finding.verdict !== 'ok')).toEqual([])
  const [found] = runChecks(AUTHORITY_CHECKS, { ...AUTHORITY, ...facts }).filter((f) => f.check === check)
  expect(found).toMatchObject({ check, verdict, fix: expect.stringMatching(fix) })
})

test('ports that the running service holds are no fault', () => {
  const facts = { ...MACHINE, listening: ['udp 51820', 'tcp 8092', 'tcp 22'] }
  const [ports] = runChecks(machineChecks(NEEDS), facts).filter(({ check }) => check === 'ports')
  expect(ports).toMatchObject({ verdict: 'ok', found: 'udp 51820, tcp 8092 in use by the service' })
})

test('left over is what a person can do something about', () => {
  const left = { ...NODE, service: idle, machines: [7], firewallTables: ['ppn_ppn0'] }
  const [found] = runChecks(NODE_CHECKS, left).filter(({ check }) => check === 'left over')
  expect(found?.found).toBe('no agent service runs, but: interface ppn0, firewall table ppn_ppn0, QEMU 7')
})

test('what lacks comes last, and all packages make one command', () => {
  const findings = runChecks(NODE_CHECKS, { ...NODE, ...without('wg', 'nft'), psi: false })
  const text = report('node', findings)
  expect(text.indexOf('LACKS')).toBeGreaterThan(text.lastIndexOf('WARNS'))
  expect(text).toContain('apt-get install -y --no-install-recommends nftables wireguard-tools\n')
  expect(text).toMatch(/this machine cannot be a node yet: \d+ ok, 2 warnings, 1 lacking\n$/)
})

test('capabilities are read from the effective set', () => {
  expect(missingCapabilities('Name:\tx\nCapEff:\t000001ffffffffff\n')).toEqual([])
  expect(missingCapabilities('CapPrm:\t000001ffffffffff\nCapEff:\t00000000000000c3\n')).toEqual([
    'CAP_KILL',
    'CAP_NET_ADMIN',
  ])
})

test('listening sockets are read from the tables of the kernel', () => {
  const tcp = `  sl  local_address rem_address   st
   0: 0100007F:1F9C 00000000:0000 0A 00000000:00000000
   1: 0100007F:1F9D 0100007F:9999 01 00000000:00000000
`
  const udp6 = `  sl  local_address remote_address st
   9: 00000000000000000000000000000000:CA6C 00000000000000000000000000000000:0000 07 0
`
  expect(listeningIn('tcp', tcp)).toEqual(['tcp 8092'])
  expect(listeningIn('udp', udp6)).toEqual(['udp 51820'])
})
