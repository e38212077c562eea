// Two nodes beside whose agents an authority may run, set up one after the other while it runs beside the second one.
import fc from 'fast-check'
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

test.each([
  ['an authority beside a spoke', ['edge-1', 'relay'], undefined],
  ['the second authority node a spoke, and the authority beside it', ['relay', 'edge-1'], 'edge-1'],
])('%s: whoever is set up before the hub is not left without a way', async (_, authorityNodes, node) => {
  const nodes = [spoke('edge-1'), spoke('edge-2')]
  const declared = { ...mesh, spec: { ...mesh.spec, authorityNodes } }
  fleet = await startFleet([declared, ...nodes], { authority: { ...(node && { node }) } })
  await fleet.clock.advance(30_000)
  const refused = fleet.authority.publisher.firstBundle('edge-2')
  await expect(refused).rejects.toMatchObject({
    code: 'AuthorityUnreached',
    message: expect.stringContaining('no hub'),
  })
  fleet.declare(hub('relay'))
  await fleet.untilReady()
})

const NODES = [hub('relay'), hub('relay-2'), spoke('edge-1'), spoke('edge-2')]
const NAMES = NODES.map(({ metadata }) => metadata.name)
const standing = fc
  .tuple(fc.shuffledSubarray(NAMES, { minLength: 1, maxLength: 3 }), fc.nat(2))
  .map(([names, at]) => ({ authorityNodes: names, node: names[at % names.length] as string }))

test('wherever the authority stands, and in whatever order and haste its nodes are set up, the fleet converges', async () => {
  const orders = fc.shuffledSubarray(NODES, { minLength: NODES.length })
  await fc.assert(
    fc.asyncProperty(
      standing,
      orders,
      fc.constantFrom(0, 40, 6_000),
      async ({ authorityNodes, node }, order, apartMs) => {
        const declared = { ...mesh, spec: { ...mesh.spec, authorityNodes } }
        const one = await startFleet([declared], { authority: { node } })
        try {
          for (const object of order) {
            one.declare(object)
            await one.clock.advance(apartMs)
          }
          await one.untilReady()
        } finally {
          await one.stop()
        }
      },
    ),
    { numRuns: 20 },
  )
})

test('a hub whose only peers are authority nodes is not taken for isolated', async () => {
  const declared = { ...mesh, spec: { ...mesh.spec, authorityNodes: ['edge-1'] } }
  fleet = await startFleet([declared, hub('relay'), spoke('edge-1')])
  await fleet.untilReady()
  expect(fleet.nodes.get('relay')?.report()?.isolated).toBe(false)
})

test('beside the first one, nobody waits for the second', async () => {
  fleet = await startFleet([mesh, hub('relay'), spoke('edge-1')], { authority: { node: 'relay' } })
  await fleet.until(() => fleet.condition('Node', 'edge-1')?.status === 'True')
  fleet.declare(hub('relay-2'))
  await fleet.untilReady()
})
