import { describe, expect, test } from 'vitest'
import { ANNOTATION } from '../../api/meta.ts'
import { nodeController } from '../node/controller.ts'
import { fakeIdentity } from '../testing/fake-world.ts'
import { type Run, runControllers } from '../testing/run.ts'
import { meshController } from './controller.ts'
import { effectiveMesh } from './effective.ts'

const start = (): Run => runControllers((world) => [meshController(world), nodeController(world)])

async function served(): Promise<Run> {
  const run = start()
  run.fake.store.put('Mesh', 'default', {})
  run.fake.node('hub-1', { role: 'hub', endpoint: 'h:51820' })
  run.fake.node('office')
  await run.settle()
  return run
}

async function ready(): Promise<Run> {
  const run = await served()
  for (const name of ['hub-1', 'office']) run.fake.apply(name)
  await run.settle()
  return run
}

const status = (run: Run, name = 'default') => run.fake.store.get('Mesh', name)?.status
const short = (run: Run, type: string, name = 'default') => {
  const found = status(run, name)?.conditions.find((c) => c.type === type)
  return found && `${found.status} ${found.reason}`
}

test('a Mesh named default exists if none is declared', () => {
  const run = start()
  expect(effectiveMesh(run.world)).toMatchObject({ name: 'default', spec: { cidr: '10.8.0.0/24', interface: 'ppn0' } })
})

test('it is Ready when every node that names it is, and counts them', async () => {
  const run = await served()
  expect(short(run, 'Ready')).toBe('Unknown NodesUnknown')
  run.fake.apply('hub-1')
  await run.settle()
  expect(status(run)).toMatchObject({ nodes: 2, nodesReady: 1, term: 1 })
  run.fake.apply('office')
  await run.settle()
  expect(short(run, 'Ready')).toBe('True Converged')
  expect(status(run)).toMatchObject({ nodes: 2, nodesReady: 2 })
})

test('law 2: a node falling silent makes it Unknown, one known to lag makes it Reconciling', async () => {
  const run = await ready()
  run.fake.fleet.set({ ...run.fake.fleet.view('office'), liveness: 'Stale' })
  await run.settle()
  expect(short(run, 'Ready')).toBe('Unknown NodesUnknown')
  run.fake.node('tablet')
  await run.settle()
  expect(short(run, 'Reconciling')).toBe('True NodesNotReady')
})

test('a second Mesh is refused with the reason, and the first is not disturbed', async () => {
  const run = await ready()
  await run.fake.clock.advance(1000)
  run.fake.store.put('Mesh', 'another', { cidr: '10.9.0.0/24' })
  await run.settle()
  expect(short(run, 'Accepted', 'another')).toBe('False SecondMesh')
  expect(run.fake.recorded.at(-1)).toMatchObject({ object: 'Mesh/another', type: 'Warning', reason: 'SecondMesh' })
  expect(short(run, 'Ready')).toBe('True Converged')
})

describe('the network', () => {
  test('stays in force while nodes hold addresses of it', async () => {
    const run = await ready()
    run.fake.bundles.published.length = 0
    run.fake.store.put('Mesh', 'default', { cidr: '10.77.0.0/24' })
    run.fake.node('tablet')
    await run.settle()
    expect(short(run, 'Accepted')).toBe('False CidrInUse')
    expect(run.fake.store.get('Node', 'tablet')?.status?.address).toBe('10.8.0.3')
    expect(run.fake.bundles.state('hub-1').content?.mesh.cidr).toBe('10.8.0.0/24')
    expect(run.fake.bundles.published.map(({ node }) => node).sort()).toEqual(['hub-1', 'tablet'])
  })

  test('may be another before the first address is given out', async () => {
    const run = start()
    run.fake.store.put('Mesh', 'default', {})
    await run.settle()
    run.fake.store.put('Mesh', 'default', { cidr: '10.77.0.0/24' })
    run.fake.node('hub-1', { role: 'hub', endpoint: 'h:1' })
    await run.settle()
    expect(short(run, 'Accepted')).toBe('True Accepted')
    expect(run.fake.store.get('Node', 'hub-1')?.status?.address).toBe('10.77.0.1')
  })
})

test('an authority node that is no Node is named', async () => {
  const run = await ready()
  run.fake.store.put('Mesh', 'default', { authorityNodes: ['hub-1', 'ghost'] })
  await run.settle()
  expect(short(run, 'Accepted')).toBe('False AuthorityNodeUnknown')
  const message = status(run)?.conditions.find((c) => c.type === 'Stalled')?.message
  expect(message).toBe('spec.authorityNodes names ghost, which is no Node of this mesh')
})

test('the brake and a newer authority show', async () => {
  const run = await ready()
  run.fake.setBrake(true)
  await run.fake.clock.advance(1000)
  await run.settle()
  expect(short(run, 'Braked')).toBe('True Braked')
  run.fake.fleet.setSuperseded(true)
  await run.fake.clock.advance(1000)
  await run.settle()
  expect(short(run, 'Superseded')).toBe('True Superseded')
  expect(short(run, 'Stalled')).toBe('True Superseded')
})

describe('deletion', () => {
  test('waits while a Node names it, held or not', async () => {
    const run = await ready()
    run.fake.store.bury('Mesh/default')
    await run.settle()
    expect(short(run, 'Deleting')).toBe('False DeletionHeld')
    await run.world.holds.confirm('Mesh/default')
    await run.settle()
    expect(short(run, 'Deleting')).toBe('True NodesPresent')
    const stalled = status(run)?.conditions.find((c) => c.type === 'Stalled')?.message
    expect(stalled).toBe('deletion waits while these name it: hub-1, office')
    expect(short(run, 'Ready')).toBe('False NodesPresent')
  })

  test('is done when none does', async () => {
    const run = start()
    run.fake.store.put('Mesh', 'default', {})
    await run.settle()
    run.fake.store.bury('Mesh/default')
    await run.settle()
    await run.world.holds.confirm('all')
    await run.settle()
    expect(run.fake.store.get('Mesh', 'default')).toBeUndefined()
  })

  test('Orphan is the way out: the nodes go on under the default', async () => {
    const run = await ready()
    run.fake.bundles.published.length = 0
    run.fake.store.put('Mesh', 'default', {}, { annotations: { [ANNOTATION.deletion]: 'Orphan' } })
    run.fake.store.bury('Mesh/default')
    await run.settle()
    expect(run.fake.store.get('Mesh', 'default')).toBeUndefined()
    expect(run.fake.bundles.published).toEqual([])
  })
})

test('law 6: reconciling a converged mesh again writes nothing', async () => {
  const run = await ready()
  const before = run.fake.store.get('Mesh', 'default')?.metadata.resourceVersion
  run.enqueue('mesh', 'Mesh/default', 'resync')
  await run.fake.clock.advance(100)
  await run.settle()
  expect(run.fake.store.get('Mesh', 'default')?.metadata.resourceVersion).toBe(before)
})

test('a paused Mesh is Unknown', async () => {
  const run = await ready()
  run.fake.store.put('Mesh', 'default', {}, { annotations: { [ANNOTATION.paused]: '1' } })
  await run.settle()
  expect(short(run, 'Ready')).toBe('Unknown Paused')
  expect(run.fake.registry.of('office')?.identity).toEqual(fakeIdentity('office'))
})
