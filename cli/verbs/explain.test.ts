import { expect, test } from 'vitest'
import type { AdminExplanation } from '../../authority/admin/backend.ts'
import { underWay } from './explain.ts'

const explanation = (over: Partial<AdminExplanation> = {}): AdminExplanation => ({
  key: 'Node/edge-1',
  object: {} as AdminExplanation['object'],
  runs: [],
  node: 'edge-1',
  pending: [],
  ...over,
})

test('what a node discarded is told by reason', () => {
  const report = { refusals: { Duplicate: 2, BadTarget: 1 } } as never
  const view = { node: 'edge-1', liveness: 'Fresh' as const, lastHeardMs: 0, report }
  expect(underWay(explanation({ view }))).toEqual([
    'node edge-1 is Fresh, last heard 1970-01-01T00:00:00.000Z',
    'discarded there since its agent started: BadTarget 1, Duplicate 2',
  ])
})

test('duplicates alone are nothing to tell: every command is sent until telemetry shows it', () => {
  const view = { node: 'edge-1', liveness: 'Fresh' as const, lastHeardMs: 0, report: { refusals: { Duplicate: 2 } } }
  expect(underWay(explanation({ view: view as never }))).toHaveLength(1)
})

test('a node that discarded nothing, or was never heard, is told without', () => {
  const view = { node: 'edge-1', liveness: 'Unheard' as const }
  expect(underWay(explanation({ view: view as never }))).toEqual(['node edge-1 is Unheard, never heard'])
})

test('a command on its way says why it waits', () => {
  const pending = [{ op: 3, slot: 0, value: 1, state: 'Waiting' as const, reason: 'Braked' }] as never
  expect(underWay(explanation({ pending }))).toEqual(['command ISOLATE 1 slot 0: Waiting (Braked)'])
})
