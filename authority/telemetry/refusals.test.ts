import { expect, test } from 'vitest'
import { METRICS, type Metrics } from '../metrics.ts'
import { countRefusals } from './refusals.ts'

function counting() {
  const counted: Record<string, number> = {}
  const metrics: Metrics = {
    count(name, label, by = 1) {
      const key = `${name} ${label}`
      counted[key] = (counted[key] ?? 0) + by
    },
    gauge() {},
  }
  return { counted, metrics }
}

test('what a node refused is counted by how much it grew, and from zero after a new boot', () => {
  const { counted, metrics } = counting()
  countRefusals(metrics, undefined, { BadTag: 3, Duplicate: 1 })
  countRefusals(metrics, { BadTag: 3, Duplicate: 1 }, { BadTag: 5, Duplicate: 1 })
  countRefusals(metrics, undefined, { BadTag: 1 })
  expect(counted).toEqual({ 'ppn_node_refusals_total BadTag': 6, 'ppn_node_refusals_total Duplicate': 1 })
})

test('reasons that nobody knows are counted as one', () => {
  const { counted, metrics } = counting()
  countRefusals(metrics, undefined, { Made: 1, Up: 2 })
  expect(counted).toEqual({ 'ppn_node_refusals_total Other': 3 })
})

test('a counter that fell in one boot takes nothing away', () => {
  const { counted, metrics } = counting()
  countRefusals(metrics, { BadTag: 5 }, { BadTag: 2 })
  expect(counted).toEqual({})
})

test('every known reason is there from the first scrape', () => {
  expect(METRICS.ppn_node_refusals_total.label.values).toEqual(expect.arrayContaining(['BadTag', 'BadTarget', 'Other']))
})
