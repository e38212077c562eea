import { expect, test } from 'vitest'
import { columnsOf } from './columns.ts'

const outcome = (suite: string, name: string, passed = true) => ({ suite, test: name, passed })

test('one row a behaviour, a column for each side, and what did not run is not called passed', () => {
  const text = columnsOf([
    outcome('simulated VM driver', 'boots'),
    outcome('QEMU VM driver', 'boots', false),
    outcome('simulated WireGuard driver', 'is read back'),
    outcome('linux, in a guest, cgroup driver', 'weighs'),
    outcome('a lab', 'is no driver'),
  ])
  expect(text.split('\n').map((line) => line.replace(/ {2,}/g, ' | ').trim())).toEqual([
    'DRIVER | SIMULATED | REAL | WHAT IT DOES',
    'VM | passed | FAILED | boots',
    'WireGuard | passed | not run | is read back',
    'cgroup | not run | passed | weighs',
    'real drivers of this run: VM: QEMU; cgroup: linux, in a guest',
  ])
})

test('a run without drivers prints nothing', () => {
  expect(columnsOf([outcome('a lab', 'is up')])).toBe('')
})
