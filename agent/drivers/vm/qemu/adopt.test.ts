import { expect, test } from 'vitest'
import type { VmEnd, VmSpec } from '../port.ts'
import { endOf, foundAgain, lastOf, recordFrom, runsArchive } from './adopt.ts'
import { qemuArguments, runPaths } from './arguments.ts'
import { parseStat } from './process-table.ts'
import type { VmRecord } from './record.ts'

const SPEC: VmSpec = {
  id: '0123456789abcdef0123456789abcdef',
  slot: 7,
  disk: '/disk',
  format: 'qcow2',
  vcpus: 2,
  floorMiB: 256,
  maxMiB: 1024,
}
const HERE = 'boot-1'
const record = (given: Partial<VmRecord> = {}): VmRecord => ({
  spec: SPEC,
  hostBootId: HERE,
  state: 'started',
  process: { pid: 10, startTicks: 1000 },
  ...given,
})
const argv = ['qemu-system-x86_64', ...qemuArguments(SPEC, runPaths('/run/ppn', 7), 'tcg'), '']

test.each<[string, Partial<VmRecord>, string, VmEnd | undefined]>([
  ['killed while nobody looked', {}, HERE, 'process-died'],
  ['ended by us, and we died before we saw it', { asked: 'end' }, HERE, 'host-quit'],
  ['its end was written down before QEMU went', { end: 'guest-panic' }, HERE, 'guest-panic'],
  ['killed while it was asked to stop', { asked: 'stop' }, HERE, 'process-died'],
  ['the host ended with it', {}, 'boot-2', undefined],
  ['the host ended after the guest did', { state: 'ended', end: 'guest-shutdown' }, 'boot-2', 'guest-shutdown'],
  ['the host ended while QEMU was going', { end: 'guest-shutdown' }, 'boot-2', 'guest-shutdown'],
  ['only intended: it never was', { state: 'intended' }, HERE, undefined],
])('no process is left: %s', (_, given, hostBootId, end) => {
  expect(endOf(record(given), hostBootId)).toBe(end)
})

test('its QEMU is known by archive, slot and run folder', () => {
  expect(runsArchive(argv, record(), '/run/ppn')).toBe(true)
  expect(runsArchive(argv, record(), '/run/other')).toBe(false)
  expect(runsArchive(argv, record({ spec: { ...SPEC, slot: 8 } }), '/run/ppn')).toBe(false)
  expect(runsArchive(argv, record({ spec: { ...SPEC, id: 'f'.repeat(32) } }), '/run/ppn')).toBe(false)
  expect(runsArchive(['sleep', '1'], record(), '/run/ppn')).toBe(false)
})

test('a process found without its pid on record is written down', () => {
  const intended = record({ state: 'intended', process: undefined })
  expect(foundAgain(intended, { pid: 5, startTicks: 9 })).toEqual(record({ process: { pid: 5, startTicks: 9 } }))
})

test('a QEMU whose record is lost is known from its argument list, with its maximum for a floor', () => {
  expect(recordFrom(argv, '/run/ppn', HERE)).toEqual({
    spec: { ...SPEC, disk: '-', floorMiB: 1024 },
    hostBootId: HERE,
    state: 'started',
  })
})

test.each([
  ['of another run folder', argv, '/run/other'],
  ['that is no QEMU of ours', ['qemu-system-x86_64', '-uuid', 'x', '-m', '512M'], '/run/ppn'],
  ['that is no QEMU', ['sleep', '1'], '/run/ppn'],
])('a process %s is left alone', (_, args, runFolder) => {
  expect(recordFrom(args, runFolder, HERE)).toBeUndefined()
})

test('what is kept of a run that is over says nothing of what was asked', () => {
  expect(lastOf(record({ asked: 'stop', startedMs: 5 }), 'guest-shutdown')).toEqual(
    record({ state: 'ended', end: 'guest-shutdown', startedMs: 5 }),
  )
})

// /proc/PID/stat of a QEMU, its name made unkind.
const STAT = (state: string) =>
  `5802 (qemu) R (x) ${state} 1 5802 5802 0 -1 4194304 25000 0 3 0 432 21 0 0 20 0 4 0 123456 1073741824 49296 184467440737 1 1 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0`

test('/proc/PID/stat is read whatever the process calls itself', () => {
  expect(parseStat(STAT('S'))).toEqual({ pid: 5802, startTicks: 123456, cpuTimeMs: 4530, residentMiB: 192.5625 })
})

test.each([
  ['a zombie', STAT('Z')],
  ['a process that is gone', ''],
  ['half a line', '5802 (qemu) S 1'],
])('%s is no process', (_, text) => {
  expect(parseStat(text)).toBeUndefined()
})
