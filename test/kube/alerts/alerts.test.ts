// manifests/observability: the rules as Prometheus' own promtool reads and evaluates them.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Registry } from 'prom-client'
import { beforeAll, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { promFleetMetrics } from '../../../authority/main/fleet-metrics.ts'
import { kubeMetrics } from '../../../authority/main/kube-metrics.ts'
import { promRuntimeMetrics } from '../../../authority/main/runtime-metrics.ts'
import { promMetrics } from '../../../authority/metrics.ts'
import { type Ran, systemProcesses } from '../../../base/processes.ts'
import { promtool } from '../../../hack/promtool.ts'
import { type Change, FIRING, MINUTES, SILENT } from './cases.ts'
import { readScrape, type Sample, selectorsOf } from './scrape.ts'

const RULES = 'manifests/observability/rules.yaml'
/** No rate looks back further than this to see enough, in minutes. */
const RATES_OVER = 16
const processes = systemProcesses()
let program: string

beforeAll(async () => {
  program = await promtool({ processes, say: (line) => void process.stderr.write(`${line}\n`) })
})
const run = (args: string[], input?: string): Promise<Ran> =>
  processes.run(program, args, { timeoutMs: 120_000, ...(input !== undefined && { input }) })

interface Alert {
  alert: string
  expr: string
  for?: string
}
async function alerts(): Promise<Alert[]> {
  const { groups } = parse(await readFile(RULES, 'utf8')) as { groups: { rules: Alert[] }[] }
  return groups.flatMap(({ rules }) => rules)
}

/** A leader of three nodes and an archive, all well. */
async function healthy(): Promise<Sample[]> {
  const registry = new Registry()
  const metrics = promMetrics(registry)
  promRuntimeMetrics(registry, ['mesh', 'node', 'pairing', 'pool', 'archive'])
  const ready = (count: number, reason: string) =>
    Array.from({ length: count }, () => ({ status: { conditions: [{ type: 'Ready', status: 'True', reason }] } }))
  promFleetMetrics(registry, {
    store: {
      list: ((kind: string) =>
        kind === 'Node' ? ready(3, 'Converged') : kind === 'Archive' ? ready(1, 'Running') : []) as never,
      health: () => ({ synced: true, lastReadMs: 0, watching: 'events', problems: [] }),
    },
    serving: () => true,
    registryBehind: () => false,
  })
  kubeMetrics({
    ...{ registers: registry, lease: 'ppn-authority', host: '192.0.2.1', watchAgeS: () => 20, ready: () => true },
  }).leading(true)
  metrics.gauge('ppn_nodes', 3, 'Fresh')
  metrics.gauge('ppn_term', 4)
  return readScrape(await registry.metrics())
}

const seriesName = ({ name, labels }: Sample, pod: string) => {
  const all = Object.entries({ ...labels, namespace: 'ppn-system', pod })
  return `${name}{${all.map(([key, value]) => `${key}="${value}"`).join(',')}}`
}

/** promtool's input series: the healthy scrape, with a change. `SERIES@POD` is another replica's. */
function inputSeries(samples: readonly Sample[], change: Change) {
  const series = new Map<string, string>(
    samples.map((sample) => [seriesName(sample, 'ppn-authority-a'), `${sample.value}x${MINUTES}`] as const),
  )
  for (const [what, values] of Object.entries(change)) {
    const [text = '', pod] = what.split('@')
    const [sample] = readScrape(`${text} 0`)
    if (!sample) throw new Error(`no series: ${what}`)
    const own = seriesName(sample, 'ppn-authority-a')
    // What is not in a scrape is in nobody's: a mistyped case would never fire, or never be silent.
    if (!series.has(own)) throw new Error(`a scrape has no ${own}`)
    const name = seriesName(sample, pod ?? 'ppn-authority-a')
    if (values === 'gone') series.delete(name)
    else series.set(name, values)
  }
  return [...series].map(([name, values]) => ({ series: name, values }))
}

interface Case {
  change: Change
  expected: readonly { alert: string; atMinute: number; fires: boolean }[]
}

/** Runs promtool over all cases; resolves with what it says against them. */
async function evaluate(cases: readonly Case[]): Promise<string> {
  const named = new Set((await alerts()).flatMap(({ expr }) => selectorsOf(expr).map(({ name }) => name)))
  const samples = (await healthy()).filter(({ name }) => named.has(name))
  const folder = await mkdtemp(join(tmpdir(), 'ppn-alerts-'))
  try {
    const tests = cases.map(({ change, expected }) => ({
      ...{ interval: '1m', input_series: inputSeries(samples, change) },
      promql_expr_test: expected.map(({ alert, atMinute, fires }) => ({
        expr: `count(ALERTS{alertname="${alert}",alertstate="firing"}) > bool 0 or vector(0)`,
        ...{ eval_time: `${atMinute}m`, exp_samples: [{ labels: '{}', value: fires ? 1 : 0 }] },
      })),
    }))
    const file = join(folder, 'cases.yaml')
    await writeFile(file, stringify({ rule_files: [join(process.cwd(), RULES)], evaluation_interval: '1m', tests }))
    const { exitCode, stdout, stderr } = await run(['test', 'rules', file])
    return exitCode === 0 ? '' : `${stdout}\n${stderr}`
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const minutesOf = ({ for: duration }: Alert): number => {
  const [, count, unit] = /^(\d+)([mh])$/.exec(duration ?? '0m') ?? []
  return Number(count) * (unit === 'h' ? 60 : 1)
}

test('promtool has nothing against the rules', async () => {
  const { exitCode, stdout, stderr } = await run(['check', 'rules', '--lint=all', '--lint-fatal', RULES])
  expect(exitCode, `${stdout}\n${stderr}`).toBe(0)
})

test('every alert fires when it should, and not before its time', async () => {
  const list = await alerts()
  expect(list.map(({ alert }) => alert).sort()).toEqual(Object.keys(FIRING).sort())
  const cases = list.map((rule): Case => {
    const { alert } = rule
    const lasts = minutesOf(rule)
    const late = { alert, atMinute: lasts + RATES_OVER, fires: true }
    // A minute after its begin nothing that has to last for longer is an alert yet.
    const early = lasts > 2 ? [{ alert, atMinute: 1, fires: false }] : []
    return { change: FIRING[alert] ?? {}, expected: [...early, late] }
  })
  expect(await evaluate(cases)).toBe('')
})

test('none fires over a healthy leader, nor for what only looks alike', async () => {
  const silent = (alert: string) => ({ alert, atMinute: MINUTES, fires: false })
  const quiet: Case = { change: {}, expected: (await alerts()).map(({ alert }) => silent(alert)) }
  const alike = Object.entries(SILENT).map(([alert, change]): Case => ({ change, expected: [silent(alert)] }))
  expect(await evaluate([quiet, ...alike])).toBe('')
})

test('every alert is explained in docs/observability.md', async () => {
  const page = await readFile('docs/observability.md', 'utf8')
  for (const { alert } of await alerts()) expect(page).toContain(`\`${alert}\``)
})
