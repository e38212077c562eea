import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { KINDS, type Kind } from '../meta.ts'
import { READINESS, readiness } from './index.ts'
import { conditionsMarkdown } from './markdown.ts'
import { type Domain, decide, type FactsOf, matches, type Row, type Table } from './table.ts'

type Facts = FactsOf<Domain>

function anyFacts(table: Table<Domain>, fixed: Row<Domain>['when'] = {}): fc.Arbitrary<Facts> {
  const fields = Object.entries(table.domain).map(([name, values]) => {
    const wanted = fixed[name]
    const allowed = wanted === undefined ? values : Array.isArray(wanted) ? wanted : [wanted]
    return [name, fc.constantFrom(...allowed)] as const
  })
  return fc.record(Object.fromEntries(fields)) as fc.Arbitrary<Facts>
}

/**
 * Facts that reach exactly this row: those it names, and for every other fact a value that no earlier row claims,
 * found by trying each value of each fact in turn.
 */
function witness(table: Table<Domain>, index: number): Facts | undefined {
  const row = table.rows[index] as Row<Domain>
  const earlier = table.rows.slice(0, index)
  const names = Object.keys(table.domain)
  const search = (facts: Record<string, Facts[string]>, at: number): Facts | undefined => {
    const name = names[at]
    if (name === undefined) return earlier.some((r) => matches(r, facts as Facts)) ? undefined : (facts as Facts)
    const wanted = row.when[name]
    const values = wanted === undefined ? table.domain[name] : Array.isArray(wanted) ? wanted : [wanted]
    for (const value of values as readonly Facts[string][]) {
      const next = { ...facts, [name]: value }
      const decided = (r: Row<Domain>) => Object.keys(r.when).every((n) => n in next)
      if (earlier.some((r) => decided(r) && matches(r, next as Facts))) continue
      const found = search(next, at + 1)
      if (found) return found
    }
    return undefined
  }
  return search({}, 0)
}

const conditionsAt = (kind: Kind, facts: Facts) =>
  Object.fromEntries(readiness(kind, facts as never).conditions.map((c) => [c.type, c.status]))

describe.each(KINDS)('the readiness table of %s', (kind) => {
  const table = READINESS[kind]

  test('reaches every row, and the first that matches counts', () => {
    table.rows.forEach((row, index) => {
      const facts = witness(table, index)
      expect(facts, `row ${index} (${row.reason})`).toBeDefined()
      expect(decide(table, facts as Facts)).toBe(row)
    })
  })

  test('has an answer for all facts, and never Reconciling and Stalled together', () => {
    fc.assert(
      fc.property(anyFacts(table), (facts) => {
        const c = conditionsAt(kind, facts)
        expect([c.Reconciling, c.Stalled]).not.toEqual(['True', 'True'])
        expect(c.Ready === 'True').toBe(readiness(kind, facts as never).verdict === 'Ready')
        if (c.Ready === 'True') expect([c.Reconciling, c.Stalled]).toEqual(['False', 'False'])
      }),
    )
  })

  test('paused is Unknown whatever else holds', () => {
    fc.assert(
      fc.property(anyFacts(table, { paused: true }), (facts) => {
        expect(conditionsAt(kind, facts).Ready).toBe('Unknown')
      }),
    )
  })

  test('reasons are CamelCase and only facts that exist are named', () => {
    for (const row of table.rows) {
      expect(row.reason).toMatch(/^[A-Z][A-Za-z]+$/)
      for (const [name, wanted] of Object.entries(row.when))
        for (const value of [wanted].flat()) expect(table.domain[name]).toContain(value)
    }
  })
})

describe('law 2', () => {
  test.each(['Node', 'Archive', 'ResourcePool'] as const)('a %s that is not freshly heard is never Ready', (kind) => {
    fc.assert(
      fc.property(
        anyFacts(READINESS[kind], { liveness: ['Unheard', 'Stale', 'Braked', 'Superseded'] }),
        (facts) => conditionsAt(kind, facts).Ready !== 'True',
      ),
    )
  })

  test.each([
    ['Node', { applied: false }],
    ['Node', { isolationShown: false }],
    ['Archive', { defined: false }],
    ['Archive', { powerMarked: false }],
    ['Archive', { tuned: false }],
    ['Archive', { runState: 'Running', lifecycle: ['Absent', 'Stopped', 'Starting', 'Suspended', 'Crashed'] }],
    ['ResourcePool', { applied: false }],
    ['Mesh', { nodes: ['none', 'silent', 'settling'] }],
  ] as const)('a %s whose effect is not shown (%j) is never Ready', (kind, fixed) => {
    fc.assert(fc.property(anyFacts(READINESS[kind], fixed), (facts) => conditionsAt(kind, facts).Ready !== 'True'))
  })

  test.each([
    ['Running', 'Running', 'Running'],
    ['Suspended', 'Suspended', 'Suspended'],
    ['Archived', 'Stopped', 'Archived'],
  ] as const)('an archive declared %s and seen %s is Ready, reason %s', (runState, lifecycle, reason) => {
    const table = READINESS.Archive
    const row = table.rows.findIndex((r) => r.verdict === 'Ready' && r.reason === reason)
    const facts = { ...witness(table, row), runState, lifecycle } as Facts
    expect(readiness('Archive', facts as never)).toMatchObject({ verdict: 'Ready', reason })
  })
})

test('a message names what it is told and admits what it is not', () => {
  const facts = { paused: false, deletion: 'nodesPresent', accepted: 'yes', channel: 'open', nodes: 'ready' } as const
  expect(readiness('Mesh', facts, { others: 'edge-1' }).message).toBe('deletion waits while these name it: edge-1')
  expect(readiness('Mesh', facts).message).toBe('deletion waits while these name it: unknown')
})

test('docs/conditions.md is current (npm run generate writes it)', () => {
  expect(readFileSync(new URL('../../docs/conditions.md', import.meta.url), 'utf8')).toBe(conditionsMarkdown())
})
