// A reporter of vitest: what every driver does, simulated and real, side by side. The simulated ones are believed because
// they pass the suites of the real ones; this shows both columns of one run.
import type { Reporter, TestCase, TestModule } from 'vitest/node'
import { alignRows } from '../../cli/output/table.ts'

type Column = 'simulated' | 'real'
const COLUMNS: readonly Column[] = ['simulated', 'real']
/** How agent/drivers/conformance names a suite: which driver, and of what. */
const SUITE = /^(.+?),? (WireGuard|VM|cgroup|image) driver$/

export interface Outcome {
  /** Of the describe block. */
  suite: string
  /** With the names of blocks in between. */
  test: string
  passed: boolean
}

/** One row a behaviour; nothing when no suite of a driver ran. Pure. */
export function columnsOf(outcomes: readonly Outcome[]): string {
  const rows = new Map<string, { kind: string; test: string } & Partial<Record<Column, boolean>>>()
  const drivers = new Map<string, Set<string>>()
  for (const { suite, test, passed } of outcomes) {
    const [, driver = '', kind = ''] = SUITE.exec(suite) ?? []
    if (kind === '') continue
    const column: Column = driver === 'simulated' ? 'simulated' : 'real'
    const key = `${kind} ${test}`
    rows.set(key, { ...(rows.get(key) ?? { kind, test }), [column]: passed })
    if (column === 'real') drivers.set(kind, (drivers.get(kind) ?? new Set()).add(driver))
  }
  if (rows.size === 0) return ''
  const word = (passed: boolean | undefined) => (passed === undefined ? 'not run' : passed ? 'passed' : 'FAILED')
  const body = [...rows.values()]
    .sort((a, b) => (a.kind < b.kind ? -1 : a.kind > b.kind ? 1 : 0))
    .map((row) => [row.kind, ...COLUMNS.map((c) => word(row[c])), row.test])
  const real = [...drivers].map(([kind, names]) => `${kind}: ${[...names].join(', ')}`)
  return [
    alignRows([['DRIVER', 'SIMULATED', 'REAL', 'WHAT IT DOES'], ...body]).trimEnd(),
    `real drivers of this run: ${real.join('; ') || 'none'}`,
  ].join('\n')
}

function outcomesIn(module: TestModule): Outcome[] {
  return [...module.children.allTests()].flatMap((test: TestCase): Outcome[] => {
    const [, suite = '', ...names] = [module.moduleId, ...test.fullName.split(' > ')]
    return [{ suite, test: names.join(': '), passed: test.result().state === 'passed' }]
  })
}

export default class Columns implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const text = columnsOf(modules.flatMap(outcomesIn))
    if (text !== '') process.stdout.write(`\n${text}\n`)
  }
}
