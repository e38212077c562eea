import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { METRICS, promMetrics } from './metrics.ts'

test('every metric and every label value of the table is there at zero from the first scrape', async () => {
  const registry = new Registry()
  promMetrics(registry)
  const text = await registry.metrics()
  for (const [name, spec] of Object.entries(METRICS)) {
    if (!('label' in spec)) expect(text).toContain(`\n${name} 0\n`)
    else for (const value of spec.label.values) expect(text).toContain(`${name}{${spec.label.name}="${value}"} 0\n`)
  }
})

test('counters add up and gauges are set', async () => {
  const registry = new Registry()
  const metrics = promMetrics(registry)
  metrics.count('ppn_commands_sent_total', 'PING')
  metrics.count('ppn_commands_sent_total', 'PING', 2)
  metrics.gauge('ppn_term', 7)
  const text = await registry.metrics()
  expect(text).toContain('ppn_commands_sent_total{op="PING"} 3\n')
  expect(text).toContain('\nppn_term 7\n')
})
