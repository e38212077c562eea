import { describe, expect, test } from 'vitest'
import type { ArchiveSpec } from '../../api/v1alpha1/archive.ts'
import { OP, type Op } from '../../protocol/command/ops.ts'
import type { MiB } from '../../protocol/ids.ts'
import type { ArchiveReport } from '../../protocol/telemetry/report.ts'
import { mark, shows } from '../testing/archive-fleet.ts'
import { goalsOf, powerGoal } from './goals.ts'
import { progressOf } from './progress.ts'

const operation = (value: number, op: Op = OP.POWER) => ({ op, value, remainingMs: 5000 })
const refusal = (value: number, reason: 'Failed' | 'Stuck' | 'BackOff') => ({
  op: OP.POWER,
  value,
  reason,
  message: 'why',
})

interface Row {
  says: string
  runState?: ArchiveSpec['runState']
  policy?: ArchiveSpec['restartPolicy']
  shows: Partial<ArchiveReport>
  /** Value of the mark and whether it is done. */
  mark?: [number, ('begun' | 'done')?]
  lastSent?: number
  /** POWER value and where it stands. */
  expected: [number, string]
}

const rows: Row[] = [
  { says: 'a fresh slot is told to start', shows: { lifecycle: 'Stopped' }, expected: [1, 'needed'] },
  { says: 'a mark and the effect settle', shows: {}, mark: [1], expected: [1, 'settled'] },
  { says: 'the effect without the mark does not', shows: {}, expected: [1, 'needed'] },
  { says: 'nor with the mark of another value', shows: {}, mark: [0], expected: [1, 'needed'] },
  {
    says: 'while the opposite is unconfirmed, the command is needed although mark and effect fit',
    shows: {},
    mark: [1],
    lastSent: 0,
    expected: [1, 'needed'],
  },
  { says: 'its own repetition is no opposite', shows: {}, mark: [1], lastSent: 1, expected: [1, 'settled'] },
  {
    says: 'a start in progress is under way',
    shows: { lifecycle: 'Stopped', operation: operation(1) },
    mark: [1, 'begun'],
    expected: [1, 'underWay'],
  },
  {
    says: 'an operation towards something else is not',
    shows: { lifecycle: 'Stopped', operation: operation(0) },
    mark: [1],
    expected: [1, 'unshown'],
  },
  {
    says: 'a refusal of this value is final',
    shows: { lifecycle: 'Stopped', refusal: refusal(1, 'Failed') },
    mark: [1],
    expected: [1, 'refused'],
  },
  {
    says: 'a refusal of another value is history',
    shows: { lifecycle: 'Stopped', refusal: refusal(0, 'Stuck') },
    mark: [1],
    expected: [1, 'unshown'],
  },
  { says: 'a disk being made is under way', shows: { lifecycle: 'Preparing' }, mark: [1], expected: [1, 'underWay'] },
  { says: 'a crash is the node’s affair', shows: { lifecycle: 'Crashed' }, mark: [1], expected: [1, 'underWay'] },
  { says: 'so is its pause', shows: { lifecycle: 'BackOff' }, mark: [1], expected: [1, 'underWay'] },
  {
    says: 'a crash under restartPolicy Never stays one',
    policy: 'Never',
    shows: { lifecycle: 'Crashed' },
    mark: [1],
    expected: [1, 'refused'],
  },
  {
    says: 'a guest that ended by itself stays so under OnFailure',
    policy: 'OnFailure',
    shows: { lifecycle: 'Stopped' },
    mark: [1],
    expected: [1, 'refused'],
  },
  {
    says: 'but not before the start was done',
    policy: 'OnFailure',
    shows: { lifecycle: 'Stopped' },
    mark: [1, 'begun'],
    expected: [1, 'unshown'],
  },
  {
    says: 'under Always the node has to show something',
    shows: { lifecycle: 'Stopped' },
    mark: [1],
    expected: [1, 'unshown'],
  },
  {
    says: 'a node’s error code is final',
    shows: { lifecycle: 'Absent', errorCode: 'ImageDigestMismatch' },
    mark: [1],
    expected: [1, 'refused'],
  },
  {
    says: 'but an order not yet obeyed is given all the same',
    shows: { lifecycle: 'Absent', errorCode: 'DiskFull' },
    expected: [1, 'needed'],
  },
  {
    says: 'a fresh slot counts as stopped',
    runState: 'Archived',
    shows: { lifecycle: 'Stopped' },
    expected: [0, 'settled'],
  },
  { says: 'a running one is stopped', runState: 'Archived', shows: {}, mark: [1], expected: [0, 'needed'] },
  {
    says: 'a stop in progress is under way',
    runState: 'Archived',
    shows: { lifecycle: 'Stopping' },
    mark: [0, 'begun'],
    expected: [0, 'underWay'],
  },
  {
    says: 'to be suspended it is started first',
    runState: 'Suspended',
    shows: { lifecycle: 'Stopped' },
    expected: [1, 'needed'],
  },
  {
    says: 'and suspended once it runs',
    runState: 'Suspended',
    shows: {},
    mark: [1],
    expected: [3, 'needed'],
  },
  {
    says: 'suspended as declared',
    runState: 'Suspended',
    shows: { lifecycle: 'Suspended' },
    mark: [3],
    expected: [3, 'settled'],
  },
  {
    says: 'a suspended one that died is started again',
    runState: 'Suspended',
    shows: { lifecycle: 'Stopped' },
    mark: [3],
    expected: [1, 'needed'],
  },
  {
    says: 'a suspended one is resumed',
    shows: { lifecycle: 'Suspended' },
    mark: [3],
    expected: [1, 'needed'],
  },
]

test.each(rows)('$says', (row) => {
  const report = shows(row.shows)
  const goal = powerGoal(row.runState ?? 'Running', report)
  const told = row.mark && mark(OP.POWER, row.mark[0], 1, row.mark[1])
  const restartPolicy = row.policy ?? 'Always'
  const progress = progressOf({ goal, report, restartPolicy, ...(told && { mark: told }), lastSent: row.lastSent })
  expect([goal.value, progress.state]).toEqual(row.expected)
})

test('POWER 2 (cut) is never planned', () => {
  const states = ['Running', 'Suspended', 'Archived'] as const
  const lifecycles = ['Absent', 'Stopped', 'Starting', 'Running', 'Suspended', 'Stopping', 'Crashed', 'Failed'] as const
  const values = states.flatMap((s) => lifecycles.map((lifecycle) => powerGoal(s, shows({ lifecycle })).value))
  expect(new Set(values)).toEqual(new Set([0, 1, 3]))
})

describe('BALLOON', () => {
  const spec = (target?: string) =>
    ({
      runState: 'Running',
      cpu: { vcpus: 1, weight: 100 },
      memory: { floor: '256Mi', max: '1Gi', ...(target && { target }) },
    }) as ArchiveSpec
  const accepted = { floorMiB: 256, maxMiB: 1024 }
  const balloon = (policy: 'Auto' | 'Manual', target: string | undefined, report: ArchiveReport) =>
    goalsOf(spec(target), policy, accepted, report).find((g) => g.op === OP.BALLOON)

  test('is wanted only under policy Manual, with a target, of a running guest', () => {
    expect(balloon('Auto', '512Mi', shows())).toBeUndefined()
    expect(balloon('Manual', undefined, shows())).toBeUndefined()
    expect(balloon('Manual', '512Mi', shows({ lifecycle: 'Suspended' }))).toBeUndefined()
    expect(balloon('Manual', '512Mi', shows())).toMatchObject({ value: 32, effect: false })
  })

  test('takes effect when the guest’s memory is there, not when the target is set', () => {
    const at = (actual: number) =>
      balloon('Manual', '512Mi', shows({ memoryTargetMiB: 512 as MiB, memoryActualMiB: actual as MiB }))
    expect(at(1024)).toMatchObject({ effect: false })
    expect(at(528)).toMatchObject({ effect: false })
    expect(at(520)).toMatchObject({ effect: true })
  })

  test('stays within what was accepted, though the spec asks for more', () => {
    const small = { floorMiB: 256, maxMiB: 512 }
    const [, , goal] = goalsOf(spec('1Gi'), 'Manual', small, shows())
    expect(goal).toMatchObject({ op: OP.BALLOON, value: 32 })
  })
})
