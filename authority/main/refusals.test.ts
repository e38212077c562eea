import { expect, test } from 'vitest'
import type { SourceProblem, StoreEvent, StoreHealth } from '../../controllers/ports/store.ts'
import { auditedEvents, auditProblems } from './refusals.ts'

function auditing() {
  const lines: Record<string, unknown>[] = []
  return { lines, audit: { record: (kind: string, details: object) => void lines.push({ kind, ...details }) } }
}

const node = { kind: 'Node', name: 'box-2', uid: 'u', generation: 1 }

test('a refused object is a line of the audit log, and an event as ever', () => {
  const { lines, audit } = auditing()
  const recorded: string[] = []
  const events = auditedEvents({ record: (_, type, reason) => void recorded.push(`${type} ${reason}`) }, audit)
  events.record(node, 'Warning', 'AddressTaken', '10.8.0.10 is held by office-1')
  const archive = { ...node, kind: 'Archive', name: 'a', namespace: 'default' }
  events.record(archive, 'Warning', 'DeletionHeld', 'held')
  expect(lines).toEqual([
    {
      kind: 'refusal',
      key: 'Node/box-2',
      generation: 1,
      reason: 'AddressTaken',
      message: '10.8.0.10 is held by office-1',
    },
    { kind: 'refusal', key: 'Archive/default/a', generation: 1, reason: 'DeletionHeld', message: 'held' },
  ])
  expect(recorded).toEqual(['Warning AddressTaken', 'Warning DeletionHeld'])
})

test.each([
  ['Normal', 'Converged'],
  ['Warning', 'Silent'],
  ['Warning', 'Unheard'],
  ['Warning', 'NodeUnknownCapacity'],
] as const)('%s %s is no refusal', (type, reason) => {
  const { lines, audit } = auditing()
  auditedEvents({ record() {} }, audit).record(node, type, reason, '')
  expect(lines).toEqual([])
})

test('a fault of the source is told when it appears, not while it stands, and again when it comes back', () => {
  const { lines, audit } = auditing()
  let tell: (event: StoreEvent) => void = () => {}
  const subscribe = (listener: typeof tell) => {
    tell = listener
    return () => {}
  }
  auditProblems({ subscribe }, audit)
  const fault: SourceProblem = {
    code: 'UnknownField',
    severity: 'error',
    message: 'unknown field x',
    hint: '',
    file: 'a.yaml',
    line: 2,
  }
  const look = (...now: SourceProblem[]) => {
    tell({ type: 'health', health: { problems: now } as unknown as StoreHealth })
  }
  look(fault, { ...fault, severity: 'warning', code: 'IgnoredField' })
  look({ ...fault, line: 3 })
  expect(lines).toEqual([
    { kind: 'refusal', code: 'UnknownField', message: 'unknown field x', file: 'a.yaml', line: 2 },
  ])
  look()
  look(fault)
  expect(lines).toHaveLength(2)
})
