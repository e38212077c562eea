import { expect, test } from 'vitest'
import type { AnyObject } from '../../api/v1alpha1/index.ts'
import { humanDuration } from './duration.ts'
import { commandBytes, effectLines } from './effects.ts'
import { jsonPath } from './json-path.ts'
import { problemText } from './problems.ts'
import { alignRows, objectTable } from './table.ts'
import { unified } from './unified.ts'

const SECOND = 1000
const HOUR = 3600 * SECOND

test.each([
  [-5, '0s'],
  [119 * SECOND, '119s'],
  [120 * SECOND, '2m'],
  [200 * SECOND, '3m20s'],
  [15 * 60 * SECOND, '15m'],
  [5.5 * HOUR, '5h30m'],
  [36 * HOUR, '36h'],
  [73 * HOUR, '3d1h'],
  [770 * 24 * HOUR, '2y40d'],
])('an age of %d ms reads %s', (ms, text) => {
  expect(humanDuration(ms)).toBe(text)
})

test('columns are as wide as their widest cell, the last one is not padded', () => {
  expect(
    alignRows([
      ['A', 'B'],
      ['long', ''],
      ['x', 'y'],
    ]),
  ).toBe('A      B\nlong\nx      y\n')
})

test('a path of a printer column leads to its value, or to nothing', () => {
  const object = { a: { b: 1 }, list: [{ type: 'Ready', status: 'True' }, { type: 'Other' }] }
  expect(jsonPath(object, '.a.b')).toBe(1)
  expect(jsonPath(object, '.a.c.d')).toBeUndefined()
  expect(jsonPath(object, '.list[?(@.type=="Ready")].status')).toBe('True')
  expect(jsonPath(object, '.list[?(@.type=="None")].status')).toBeUndefined()
  expect(() => jsonPath(object, '.list[0]')).toThrow(TypeError)
})

const node = (name: string): AnyObject =>
  ({
    kind: 'Node',
    metadata: { name, creationTimestamp: '2026-01-01T00:00:00.000Z', labels: {} },
    spec: { role: 'spoke' },
    status: { address: '10.8.0.2', conditions: [{ type: 'Ready', status: 'True', reason: 'Converged' }] },
  }) as never

test('a table has the columns of the custom resource', () => {
  const nowMs = Date.UTC(2026, 0, 1, 5)
  const options = { wide: false, namespaces: false, headers: true, kinds: false, nowMs }
  const [header, row] = objectTable('Node', [node('edge-1')], options).split('\n')
  expect(header).toMatch(/^NAME +ROLE +ADDRESS +READY +REASON +AGE$/)
  expect(row).toMatch(/^edge-1 +spoke +10\.8\.0\.2 +True +Converged +5h$/)
  expect(objectTable('Node', [node('edge-1')], { ...options, headers: false, kinds: true })).toMatch(
    /^node\.ppn\.dev\/edge-1 /,
  )
})

test('a command is shown byte for byte; what only its sending can tell is marked', () => {
  expect(commandBytes(5, 10, 1, 0x1234)).toBe('05 0a 01 12 34 <sequence: set at sending> <tag: set at sending>')
  expect(commandBytes(3, undefined, 0, 1)).toMatch(/^03 \?\? 00 00 01 /)
  const commands = [{ op: 4, slot: 2, value: 3 }]
  expect(effectLines({ type: 'commands', node: 'edge-2', commands }, () => 10)).toEqual([
    'send     edge-2: POWER suspend (slot 2)\n         04 0a 02 00 03 <sequence: set at sending> <tag: set at sending>',
  ])
  expect(effectLines({ type: 'status' }, () => 10)).toEqual([])
})

test('what an archive is given is said in words', () => {
  const lines = (effect: object) => effectLines(effect, () => 10)
  const place = { type: 'place', node: 'edge-2', floorMiB: 256, maxMiB: 512 }
  expect(lines(place)).toEqual(['place    on edge-2, 256 to 512 MiB'])
  const taken = { type: 'takeOver', node: 'edge-2', slot: 3, fencingEpoch: 2 }
  expect(lines(taken)).toEqual(['place    taken over on edge-2, slot 3, epoch 2'])
  expect(lines({ type: 'addFinalizer' })).toEqual(['guard    from now on it goes only after its teardown'])
})

test('a problem is named from where the person stands', () => {
  const problem = {
    code: 'UnknownField',
    message: 'unknown field',
    hint: 'did you mean site?',
    severity: 'error',
  } as const
  const at = { ...problem, file: 'nodes/a.yaml', line: 8, column: 3 }
  expect(problemText({ cwd: '/home/op' }, at, '/home/op/fleet')).toBe(
    'fleet/nodes/a.yaml:8:3: error: unknown field [UnknownField]\n  hint: did you mean site?\n',
  )
  expect(problemText({ cwd: '/home/op' }, at, '/srv/fleet')).toMatch(/^\/srv\/fleet\/nodes\/a\.yaml:8:3: /)
  expect(problemText({ cwd: '/home/op' }, problem, '/srv/fleet')).toMatch(/^error: /)
})

test('changed lines are shown with two around them, gaps as dots', () => {
  const before = 'a\nb\nc\nd\ne\nf\ng\nh\ni\n'
  const after = 'A\nb\nc\nd\ne\nf\ng\nh\nI\n'
  expect(unified(before, after).map(({ mark, text }) => mark + text)).toEqual([
    '-a',
    '+A',
    ' b',
    ' c',
    ' ...',
    ' g',
    ' h',
    '-i',
    '+I',
  ])
  expect(unified(before, before)).toEqual([])
  expect(unified('', 'x\n')).toEqual([{ mark: '+', text: 'x' }])
})
