import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { READINESS } from '../../api/readiness/index.ts'
import { testFleet } from '../../testing/test-fleet.ts'
import { promFleetMetrics } from './fleet-metrics.ts'

const OBJECTS = [
  { kind: 'Node', metadata: { name: 'relay-1' }, spec: { role: 'hub', site: 'cloud', endpoint: '192.0.2.1:51820' } },
  { kind: 'Node', metadata: { name: 'office-1' }, spec: { role: 'spoke', site: 'onprem' } },
].map((object) => ({ apiVersion: 'ppn.dev/v1alpha1', ...object }))

test('a scrape counts objects by Ready and reason, and a node that falls silent moves to another row', async () => {
  const fleet = await testFleet({ objects: OBJECTS })
  const registry = new Registry()
  const { serving, registry: nodes } = fleet.authority
  promFleetMetrics(registry, {
    store: fleet.store,
    serving: () => serving.downlink() !== undefined,
    registryBehind: () => nodes.behind() !== undefined,
  })
  const lines = async () => (await registry.metrics()).split('\n')
  await fleet.untilReady()
  expect(await lines()).toContain('ppn_objects{kind="Node",ready="True",reason="Converged"} 2')
  expect(await lines()).toContain('ppn_serving 1')
  expect(await lines()).toContain('ppn_registry_behind 0')
  expect(await lines()).toContain('ppn_store_unreadable 0')
  await fleet.agent('office-1').stop()
  await fleet.advance(90_000)
  expect(await lines()).toContain('ppn_objects{kind="Node",ready="True",reason="Converged"} 1')
  expect(await lines()).toContain('ppn_objects{kind="Node",ready="Unknown",reason="Silent"} 1')
  await fleet.stop()
})

test('every reason of the readiness table is there at zero, and so is an object without a status', async () => {
  const registry = new Registry()
  const health = { synced: false, lastReadMs: 0, watching: 'events', problems: [] } as const
  promFleetMetrics(registry, {
    store: { list: () => [], health: () => health },
    serving: () => false,
    registryBehind: () => true,
  })
  const text = await registry.metrics()
  for (const [kind, { rows }] of Object.entries(READINESS))
    for (const { reason } of [...rows, { reason: 'NoStatus' }])
      expect(text).toMatch(new RegExp(`^ppn_objects\\{kind="${kind}",ready="\\w+",reason="${reason}"\\} 0$`, 'm'))
  for (const line of ['ppn_store_unreadable 1', 'ppn_serving 0', 'ppn_registry_behind 1'])
    expect(text).toContain(`\n${line}\n`)
})
