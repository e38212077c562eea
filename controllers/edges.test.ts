// Which keys run when something happens: the dependency edges, seen from outside.
import { beforeEach, describe, expect, test } from 'vitest'
import { ANNOTATION, FINALIZER } from '../api/meta.ts'
import { controllerWorld } from './controller-world.ts'
import { wireEdges } from './edges.ts'
import { shows } from './testing/archive-fleet.ts'
import { type FakeWorld, fakeIdentity, fakeWorld } from './testing/fake-world.ts'

interface Enqueued {
  key: string
  reason: string
  priority: number
  afterMs: number
}

interface Wired {
  fake: FakeWorld
  /** Keys enqueued since the last call, sorted, each once. */
  ran(): string[]
  all: Enqueued[]
  stop(): void
}

const archiveSpec = (nodeName: string, vcpus = 1) => ({
  nodeName,
  image: { source: 'file:///x', sha256: 'a'.repeat(64), format: 'raw' },
  memory: { floor: '256Mi', max: '256Mi' },
  cpu: { vcpus },
})
const ARCHIVE = 'cluster-totebox-x-1'

function wired(fake = fakeWorld()): Wired {
  const all: Enqueued[] = []
  const enqueue = (_: string, key: string, reason: string, o?: { priority?: number; afterMs?: number }) =>
    void all.push({ key, reason, priority: o?.priority ?? 1, afterMs: o?.afterMs ?? 0 })
  const { world, index } = controllerWorld(fake, enqueue)
  const abort = new AbortController()
  wireEdges(world, index, enqueue, abort.signal)
  const ran = () => [...new Set(all.splice(0).map(({ key }) => key))].sort()
  return { fake, ran, all, stop: () => abort.abort() }
}

/** hub-1, a, b; one archive and a pool on a. */
function populate(fake: FakeWorld): void {
  fake.store.put('Mesh', 'default', {})
  fake.node('hub-1', { role: 'hub', endpoint: 'h:1' })
  fake.node('a')
  fake.node('b')
  fake.store.put('ResourcePool', 'a', { nodeName: 'a' })
  fake.store.put('Archive', ARCHIVE, archiveSpec('a'), { finalizers: [FINALIZER] })
}

const ON_A = [`Archive/default/${ARCHIVE}`, 'ResourcePool/a']

let w: Wired
beforeEach(() => {
  w = wired()
  populate(w.fake)
  w.ran()
})

describe('a declaration', () => {
  test('of an archive runs it, its node and its pool', () => {
    w.fake.store.put('Archive', ARCHIVE, archiveSpec('a', 2))
    expect(w.ran()).toEqual([...ON_A, 'Node/a'].sort())
  })

  test('of an archive that moves runs the node it left and the one it names', () => {
    w.fake.store.put('Archive', ARCHIVE, archiveSpec('b'))
    expect(w.ran()).toEqual([`Archive/default/${ARCHIVE}`, 'Node/a', 'Node/b'])
  })

  test('of an archive that goes for good runs its node and pool', () => {
    w.fake.store.put('Archive', ARCHIVE, archiveSpec('a'), { finalizers: [] })
    w.ran()
    w.fake.store.bury(`Archive/default/${ARCHIVE}`)
    expect(w.ran()).toEqual(expect.arrayContaining(['Node/a']))
  })

  test('of a spoke runs it, the hubs, the mesh and what lives on it, but no other spoke', async () => {
    for (const name of ['hub-1', 'a', 'b'])
      await w.fake.allocator.claimAddress({ uid: `uid-${name}`, name, hub: false }, '10.8.0.0/24')
    w.fake.node('a', { site: 'leased' })
    expect(w.ran()).toEqual([...ON_A, 'Mesh/default', 'Node/a', 'Node/hub-1'].sort())
  })

  test('of anything about a node also runs those still waiting for an address', () => {
    w.fake.node('a', { site: 'leased' })
    expect(w.ran()).toContain('Node/b')
  })

  test('of a hub, and of a hub that stops being one, runs every node', () => {
    w.fake.node('hub-1', { role: 'hub', endpoint: 'other:1' })
    expect(w.ran()).toEqual(expect.arrayContaining(['Node/a', 'Node/b', 'Node/hub-1']))
    w.fake.node('hub-1', {})
    expect(w.ran()).toEqual(expect.arrayContaining(['Node/a', 'Node/b', 'Node/hub-1']))
  })

  test('of a pool runs it, its node and the archives there', () => {
    w.fake.store.put('ResourcePool', 'a', { nodeName: 'a', memory: { reservedForHost: '1Gi' } })
    expect(w.ran()).toEqual([...ON_A, 'Node/a'].sort())
  })

  test('of a mesh runs all nodes', () => {
    w.fake.store.put('Mesh', 'default', { mtu: 1400 })
    expect(w.ran()).toEqual(['Mesh/default', 'Node/a', 'Node/b', 'Node/hub-1'])
  })

  test('is urgent for the object itself: a person is waiting', () => {
    w.all.length = 0
    w.fake.store.put('ResourcePool', 'a', { nodeName: 'a', memory: { reservedForHost: '1Gi' } })
    expect(w.all.find(({ key }) => key === 'ResourcePool/a')).toMatchObject({ priority: 2, reason: 'spec' })
    expect(w.all.find(({ key }) => key === 'Node/a')).toMatchObject({ priority: 1 })
  })

  test('reconcile-now runs the object at once', () => {
    const { spec } = w.fake.store.get('Node', 'b')!
    w.fake.store.put('Node', 'b', spec, { annotations: { [ANNOTATION.reconcileAt]: 'now' } })
    expect(w.all.find(({ key }) => key === 'Node/b')).toMatchObject({ priority: 2, reason: 'metadata' })
  })
})

describe('news', () => {
  test('by telemetry of a node runs it, what lives on it, and nothing else', () => {
    w.fake.fleet.hear('a')
    expect(w.ran()).toEqual([...ON_A, 'Node/a'].sort())
  })

  test('by telemetry of a node runs an archive that it shows and our records do not place there', () => {
    const stranger = { name: 'gateway-orchestration-b-1', namespace: 'vault' }
    w.fake.store.put('Archive', stranger.name, archiveSpec('b'), { namespace: stranger.namespace })
    w.ran()
    w.fake.fleet.hear('a', { archives: [shows(stranger)] })
    expect(w.ran()).toEqual([...ON_A, 'Archive/vault/gateway-orchestration-b-1', 'Node/a'].sort())
  })

  test('by telemetry of the hub runs the nodes that are being deleted', () => {
    w.fake.store.put('Node', 'b', w.fake.store.get('Node', 'b')?.spec, { finalizers: [FINALIZER] })
    w.fake.store.bury('Node/b')
    w.ran()
    w.fake.fleet.hear('hub-1')
    expect(w.ran()).toEqual(['Node/b', 'Node/hub-1'])
  })

  test('of a bundle runs its node and what lives there', () => {
    w.fake.bundles.force('a', { stage: 'Reverted' })
    expect(w.ran()).toEqual([...ON_A, 'Node/a'].sort())
  })

  test('of an enrolment runs the node and the hubs', async () => {
    await w.fake.registry.enrol('b', 'id' as never, fakeIdentity('b'), 'simulated')
    expect(w.ran()).toEqual(expect.arrayContaining(['Node/b', 'Node/hub-1']))
  })

  test('that a status was written runs nobody', async () => {
    const pool = w.fake.store.get('ResourcePool', 'a')!
    await w.fake.store.updateStatus(pool, { observedGeneration: 1, conditions: [] })
    expect(w.ran()).toEqual([])
  })

  test('that others took a status away runs the object, and it is written again', async () => {
    const pool = w.fake.store.get('ResourcePool', 'a')!
    await w.fake.store.updateStatus(pool, { observedGeneration: 1, conditions: [] })
    w.fake.store.wipeStatus('ResourcePool/a')
    expect(w.ran()).toEqual(['ResourcePool/a'])
  })

  test('that a node’s verdict moved runs its mesh', async () => {
    const ready = { type: 'Ready', status: 'True', reason: 'R', message: '', observedGeneration: 1 } as const
    const conditions = [{ ...ready, lastTransitionTime: '2026-01-01T00:00:00Z' }]
    await w.fake.store.updateStatus(w.fake.store.get('Node', 'b')!, { observedGeneration: 1, conditions })
    expect(w.ran()).toEqual(['Mesh/default'])
  })

  test('that a node was accepted or refused runs what lives on it', async () => {
    const accepted = { type: 'Accepted', status: 'False', reason: 'R', message: '', observedGeneration: 1 } as const
    const conditions = [{ ...accepted, lastTransitionTime: '2026-01-01T00:00:00Z' }]
    await w.fake.store.updateStatus(w.fake.store.get('Node', 'a')!, { observedGeneration: 1, conditions })
    expect(w.ran()).toEqual(expect.arrayContaining(ON_A))
  })
})

describe('time', () => {
  const everything = ['Mesh/default', ...ON_A, 'Node/a', 'Node/b', 'Node/hub-1'].sort()

  test('a set brake and its release run everything', async () => {
    w.fake.setBrake(true)
    await w.fake.clock.advance(1000)
    expect(w.ran()).toEqual(everything)
    await w.fake.clock.advance(5000)
    expect(w.ran()).toEqual([])
    w.fake.setBrake(false)
    await w.fake.clock.advance(1000)
    expect(w.ran()).toEqual(everything)
  })

  test('every 10 minutes everything runs once more, spread out and last in line', async () => {
    await w.fake.clock.advance(10 * 60_000)
    const delays = new Set(w.all.map(({ afterMs }) => afterMs))
    expect(w.all.every(({ priority, afterMs }) => priority === 0 && afterMs < 60_000)).toBe(true)
    expect(delays.size).toBeGreaterThan(3)
    expect(w.ran()).toEqual(everything)
  })

  test('at the start everything runs at low priority, once the store has synced', () => {
    const fake = fakeWorld()
    fake.store.setHealth({ synced: false })
    populate(fake)
    const later = wired(fake)
    expect(later.ran()).toEqual([])
    fake.node('b', { site: 'leased' })
    expect(later.ran()).toEqual([])
    const synced = wired(w.fake)
    expect(synced.all.every(({ priority, reason }) => priority === 0 && reason === 'start')).toBe(true)
    expect(synced.ran()).toEqual(everything)
  })

  test('after the abort nothing runs and no timer is left', async () => {
    w.stop()
    const left = w.fake.clock.pending()
    w.fake.node('c')
    w.fake.fleet.hear('a')
    await w.fake.clock.advance(20 * 60_000)
    expect(w.ran()).toEqual([])
    expect(left).toBe(0)
  })
})
