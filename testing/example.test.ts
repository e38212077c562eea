import { afterEach, expect, test } from 'vitest'
import { type TestFleet, testFleet } from './index.ts'

const apiVersion = 'ppn.dev/v1alpha1'
const relay = {
  apiVersion,
  kind: 'Node',
  metadata: { name: 'relay' },
  spec: { role: 'hub', site: 'cloud', endpoint: 'relay.example:51820' },
}
const office = (spec: object = {}) => ({
  apiVersion,
  kind: 'Node',
  metadata: { name: 'office' },
  spec: { role: 'spoke', site: 'onprem', ...spec },
})
const vault = (spec: object = {}) => ({
  apiVersion,
  kind: 'Archive',
  metadata: { name: 'cluster-totebox-example-1', namespace: 'default' },
  spec: {
    nodeName: 'office',
    image: { source: 'https://images.example/vault.qcow2', sha256: 'ab'.repeat(32), format: 'qcow2' },
    memory: { floor: '256Mi', max: '512Mi' },
    ...spec,
  },
})

let fleet: TestFleet
afterEach(() => fleet.stop())

test('a change of the spec is sent once, and nothing else ever', async () => {
  fleet = await testFleet({ objects: [relay, office(), vault()] })
  await fleet.untilReady()

  const since = fleet.clock.now() + 1
  await fleet.advance(60_000)
  expect(fleet.commandsSent(since)).toEqual([])

  fleet.apply(vault({ runState: 'Suspended' }))
  await fleet.untilReady()
  expect(fleet.commandsSent(since)).toMatchObject([{ node: 'office', op: 'POWER', slot: 1, value: 3 }])
  expect(fleet.agent('office').report().archives).toMatchObject([{ lifecycle: 'Suspended' }])
})

test('a node over a bad link converges as well', async () => {
  fleet = await testFleet({
    objects: [relay, office(), vault()],
    script(name, agent) {
      if (name !== 'office') return
      agent.lossy(0.5)
      agent.duplicating(0.3)
      agent.reordering(0.3)
      agent.slow(500)
    },
  })
  await fleet.untilReady()
  const obeyed = fleet.agent('office').obeyed.filter(({ op }) => op === 'POWER')
  expect(obeyed).toHaveLength(1)
})

test('a node that falls silent is Unknown, and nothing is done to it', async () => {
  fleet = await testFleet({ objects: [relay, office(), vault()] })
  await fleet.untilReady()

  const since = fleet.clock.now() + 1
  const speak = fleet.agent('office').silent()
  await fleet.advance(90_000)
  expect(fleet.conditions('Node', 'office').Ready).toMatchObject({ status: 'Unknown', reason: 'Silent' })
  expect(fleet.conditions('Archive', 'cluster-totebox-example-1').Ready).toMatchObject({ status: 'Unknown' })
  expect(fleet.commandsSent(since).filter(({ op }) => op !== 'PING')).toEqual([])

  speak()
  await fleet.untilReady()
})

test('a node that claims an effect it was never told of is not Ready', async () => {
  fleet = await testFleet({ objects: [relay, office()] })
  await fleet.untilReady()

  fleet.agent('office').deaf()
  fleet.agent('office').lying({ isolated: true })
  fleet.apply(office({ isolated: true }))
  await fleet.advance(30_000)
  expect(fleet.conditions('Node', 'office').Ready).toMatchObject({ status: 'False', reason: 'Isolating' })
})

test('restarts on both sides cost no command', async () => {
  fleet = await testFleet({ objects: [relay, office(), vault()] })
  await fleet.untilReady()
  await fleet.advance(10_000)

  fleet.killAuthority()
  await fleet.agent('office').restart()
  await fleet.advance(60_000)
  const since = fleet.clock.now()
  await fleet.startAuthority()
  await fleet.untilReady()
  expect(fleet.commandsSent(since).filter(({ op }) => op !== 'PING')).toEqual([])
})
