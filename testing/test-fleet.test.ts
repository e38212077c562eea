import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { archive, hub, office, spoke } from '../test/fleet/objects.ts'
import { type TestFleet, testFleet } from './test-fleet.ts'

let fleet: TestFleet
afterEach(() => fleet.stop())

test('a declared fleet converges, and then nothing is sent', async () => {
  fleet = await testFleet({ objects: office() })
  await fleet.untilReady()
  const since = fleet.clock.now() + 1
  await fleet.advance(600_000)
  expect(fleet.commandsSent(since)).toEqual([])
  expect(fleet.conditions('Archive', 'cluster-totebox-test-2').Ready).toMatchObject({ status: 'True' })
  expect(fleet.agent('edge-1').report().archives).toMatchObject([{ lifecycle: 'Running' }, { lifecycle: 'Suspended' }])
})

test('a change is sent to the node it concerns, and to no other', async () => {
  fleet = await testFleet({ objects: office() })
  await fleet.untilReady()
  await fleet.advance(5_000)
  const since = fleet.clock.now()
  fleet.apply(spoke('edge-2', { isolated: true }))
  await fleet.untilReady()
  expect(fleet.commandsSent(since)).toMatchObject([{ node: 'edge-2', op: 'ISOLATE', slot: 0, value: 1 }])
  expect(fleet.agent('edge-2').report()).toMatchObject({ isolated: true, peers: [{ allowedIPs: ['10.8.0.1/32'] }] })
})

test('an object withdrawn goes away on the node as well', async () => {
  fleet = await testFleet({ objects: [...office(), archive(4, 'edge-1')] })
  await fleet.untilReady()
  fleet.withdraw('Archive', 'cluster-totebox-test-4', 'default')
  await fleet.until(() => fleet.object('Archive', 'cluster-totebox-test-4') === undefined)
  // The bundle without it follows within the spacing of revisions.
  await fleet.until(() => fleet.agent('edge-1').report().archives.length === 2)
  expect(fleet.agent('edge-1').report().retainedDisks).toMatchObject([{ name: 'cluster-totebox-test-4' }])
})

test('a fleet comes from a folder, as it is deployed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ppn-test-fleet-'))
  try {
    writeFileSync(
      join(folder, 'nodes.yaml'),
      [hub('relay'), spoke('edge-1')].map((o) => JSON.stringify(o)).join('\n---\n'),
    )
    writeFileSync(join(folder, '.hidden.yaml'), 'kind: Nothing\n')
    fleet = await testFleet({ folder })
    await fleet.untilReady()
    expect(fleet.store.list('Node').map((node) => node.metadata.name)).toEqual(['edge-1', 'relay'])
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('an authority killed and started again finds its fleet as it was', async () => {
  fleet = await testFleet({ objects: office() })
  await fleet.untilReady()
  await fleet.advance(5_000)
  fleet.killAuthority()
  await fleet.advance(60_000)
  await fleet.startAuthority()
  const since = fleet.clock.now()
  await fleet.advance(30_000)
  await fleet.untilReady()
  expect(fleet.commandsSent(since).map(({ op }) => op)).toEqual(['PING', 'PING', 'PING'])
})

test('the same seed gives the same run to the byte, another one another run', async () => {
  const run = async (seed: number) => {
    const one = await testFleet({ objects: office(), seed })
    await one.untilReady()
    await one.stop()
    return one.network.datagrams.map(({ timeMs, to, bytes }) => [timeMs, to, Buffer.from(bytes).toString('hex')])
  }
  const first = await run(1)
  expect(await run(1)).toEqual(first)
  expect(await run(2)).not.toEqual(first)
  fleet = await testFleet({ objects: [] })
})

test('what never becomes Ready is named with its reason', async () => {
  fleet = await testFleet({
    objects: [hub('relay'), spoke('edge-1')],
    script: (name, agent) => name === 'edge-1' && agent.silent(),
  })
  await expect(fleet.untilReady(10_000)).rejects.toThrow(/Node\/edge-1: Unknown/)
})

test('an object that is none is thrown back at once', async () => {
  fleet = await testFleet({ objects: office() })
  expect(() => fleet.apply(spoke('edge-9', { role: 'king' }))).toThrow(
    expect.objectContaining({ code: 'InvalidObject' }),
  )
  await fleet.untilReady()
})
