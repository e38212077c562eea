// Two nodes beside whose agents an authority may run, set up one after the other while it runs beside the second one.
import { afterEach, expect, test } from 'vitest'
import { API_VERSION } from '../../api/meta.ts'
import { type Fleet, startFleet } from './harness.ts'
import { hub, spoke } from './objects.ts'

let fleet: Fleet
afterEach(() => fleet?.stop())

const mesh = {
  apiVersion: API_VERSION,
  kind: 'Mesh',
  metadata: { name: 'default' },
  spec: { cidr: '10.8.0.0/24', authorityNodes: ['relay', 'relay-2'] },
}

test('whoever is set up first gets its bundle once the authority’s own node is enrolled, and the fleet converges', async () => {
  fleet = await startFleet([mesh, hub('relay'), spoke('edge-1')], { authority: { node: 'relay-2' } })
  await fleet.clock.advance(30_000)
  const refused = fleet.authority.publisher.firstBundle('relay')
  await expect(refused).rejects.toMatchObject({
    code: 'AuthorityUnreached',
    message: expect.stringContaining('relay-2'),
  })
  expect([...fleet.nodes.keys()]).toEqual([])
  fleet.declare(hub('relay-2'))
  await fleet.untilReady()
  expect([...fleet.nodes.keys()].sort()).toEqual(['edge-1', 'relay', 'relay-2'])
})

test('beside the first one, nobody waits for the second', async () => {
  fleet = await startFleet([mesh, hub('relay'), spoke('edge-1')], { authority: { node: 'relay' } })
  await fleet.until(() => fleet.condition('Node', 'edge-1')?.status === 'True')
  fleet.declare(hub('relay-2'))
  await fleet.untilReady()
})
