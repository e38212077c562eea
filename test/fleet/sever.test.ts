// A person cuts a node off the mesh, and brings it back by hand (decisions 0014 and 0017).
import { afterEach, expect, test } from 'vitest'
import { armorBundle } from '../../protocol/bundle/armor.ts'
import { type Fleet, startFleet } from './harness.ts'
import { office } from './objects.ts'

let fleet: Fleet
afterEach(() => fleet.stop())

test('a severed node reads Severed once the hub shows no link to it, over a restart, and no longer when it is back', async () => {
  fleet = await startFleet(office())
  await fleet.untilReady()
  await fleet.authority.serving.downlink()?.commands.severThroughBrake('edge-2')
  await fleet.clock.advance(30_000)
  // The link may only be quiet so far: nothing is claimed.
  expect(fleet.condition('Node', 'edge-2')?.reason).not.toBe('Severed')
  await fleet.until(() => fleet.condition('Node', 'edge-2')?.reason === 'Severed', 300_000)
  expect(fleet.condition('Node', 'edge-2')).toEqual({ status: 'Unknown', reason: 'Severed' })
  expect(fleet.condition('Node', 'edge-2', 'Connected')).toEqual({ status: 'False', reason: 'Severed' })
  expect(fleet.condition('Node', 'edge-1')?.status).toBe('True')

  await fleet.restartAuthority()
  await fleet.until(() => fleet.condition('Node', 'edge-2')?.reason === 'Severed', 60_000)

  const bundle = await fleet.authority.publisher.firstBundle('edge-2')
  await fleet.nodes.get('edge-2')?.import(armorBundle(bundle))
  await fleet.untilReady(300_000)
  await fleet.clock.advance(120_000)
  expect(fleet.store.records.list('severed/')).toEqual([])
})

test('a node that is only silent is not called Severed', async () => {
  fleet = await startFleet(office())
  await fleet.untilReady()
  await fleet.nodes.get('edge-2')?.kill('machine')
  await fleet.clock.advance(600_000)
  expect(fleet.condition('Node', 'edge-2')).toEqual({ status: 'Unknown', reason: 'Silent' })
})
