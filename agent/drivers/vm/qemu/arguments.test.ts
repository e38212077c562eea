import { expect, test } from 'vitest'
import type { VmSpec } from '../port.ts'
import { qemuArguments, runPaths, uuidOf } from './arguments.ts'

const SPEC: VmSpec = {
  id: '0123456789abcdef0123456789abcdef',
  slot: 7,
  disk: '/var/lib/ppn/archives/0123456789abcdef0123456789abcdef/disk',
  format: 'qcow2',
  vcpus: 2,
  floorMiB: 256,
  maxMiB: 1024,
}

test('the whole argument list', () => {
  expect(qemuArguments(SPEC, runPaths('/run/ppn', 7), 'tcg').join(' ').replaceAll(' -', '\n-').split('\n')).toEqual([
    '-nodefaults',
    '-no-user-config',
    '-display none',
    '-S',
    '-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny',
    '-name ppn-7',
    '-uuid 01234567-89ab-cdef-0123-456789abcdef',
    '-action reboot=reset,shutdown=pause,panic=pause,watchdog=reset',
    '-machine q35,accel=tcg,dump-guest-core=off,mem-merge=off,smm=off,vmport=off,hpet=off,graphics=off',
    '-cpu max,la57=off',
    '-smp cpus=2,sockets=1,cores=2,threads=1',
    '-m 1024M',
    '-rtc base=utc',
    '-boot strict=on',
    '-add-fd fd=3,set=1,opaque=disk',
    '-add-fd fd=4,set=2,opaque=console',
    '-blockdev {"driver":"file","node-name":"file","filename":"/dev/fdset/1","discard":"unmap"}',
    '-blockdev {"driver":"qcow2","node-name":"disk","file":"file","discard":"unmap"}',
    '-device virtio-blk-pci,drive=disk,bootindex=1,werror=stop,rerror=report',
    '-device virtio-balloon-pci,id=balloon,deflate-on-oom=on,free-page-reporting=on,guest-stats-polling-interval=1',
    '-device pvpanic',
    '-object rng-builtin,id=rng',
    '-device virtio-rng-pci,rng=rng',
    '-chardev socket,id=qmp,path=/run/ppn/7/qmp,server=on,wait=off',
    '-mon chardev=qmp,mode=control',
    '-chardev socket,id=people,path=/run/ppn/7/qmp-people,server=on,wait=off',
    '-mon chardev=people,mode=control',
    '-chardev socket,id=console,path=/run/ppn/7/console,server=on,wait=off,logfile=/dev/fdset/2,logappend=on',
    '-serial chardev:console',
  ])
})

test('KVM gives the guest the processor of the host', () => {
  const args = qemuArguments(SPEC, runPaths('/run/ppn', 7), 'kvm')
  expect(args[args.indexOf('-machine') + 1]).toContain('accel=kvm')
  expect(args[args.indexOf('-cpu') + 1]).toBe('host')
})

test('law 7: QEMU is given its one disk as an open file, never the path of any', () => {
  expect(qemuArguments(SPEC, runPaths('/run/ppn', 7), 'tcg').join(' ')).not.toContain('/var/lib/ppn')
})

test('a comma in the run folder does not end the option', () => {
  expect(qemuArguments(SPEC, runPaths('/tmp/a,b', 7), 'tcg').join(' ')).toContain('path=/tmp/a,,b/7/qmp,server=on')
})

test('a socket path of 107 bytes fits, one of 108 does not', () => {
  const longest = '/7/qmp-people'
  expect(runPaths(`/${'x'.repeat(106 - longest.length)}`, 7).people).toHaveLength(107)
  expect(() => runPaths(`/${'x'.repeat(107 - longest.length)}`, 7)).toThrow('longer than the 107 bytes')
})

test('an id as QEMU writes it', () => {
  expect(uuidOf(SPEC.id)).toBe('01234567-89ab-cdef-0123-456789abcdef')
})
