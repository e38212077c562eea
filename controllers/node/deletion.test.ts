// Every sentence of DESIGN "Deletion" about a Node.
import { describe, expect, test } from 'vitest'
import { ANNOTATION } from '../../api/meta.ts'
import { OP } from '../../protocol/command/ops.ts'
import { SEVER_LEAD_MS } from '../bundle/members.ts'
import { fakeDurable, fakeId, fakeIdentity, fakeWorld } from '../testing/fake-world.ts'
import { type Run, runControllers } from '../testing/run.ts'
import { nodeController } from './controller.ts'

const NAMES = ['hub-1', 'a', 'b', 'c', 'd']
const ARCHIVE = {
  nodeName: 'a',
  image: { source: 'file:///img/x.raw', sha256: 'a'.repeat(64), format: 'raw' },
  memory: { floor: '256Mi', max: '512Mi' },
}

async function fleet(durable = fakeDurable()): Promise<Run> {
  const run = runControllers((world) => [nodeController(world)], fakeWorld(durable))
  for (const name of NAMES)
    run.fake.node(name, name === 'hub-1' ? { role: 'hub', site: 'cloud', endpoint: 'hub:51820' } : {})
  await run.settle()
  for (const name of NAMES) run.fake.apply(name)
  await run.settle()
  // Nothing here is about to be the second deletion of one window.
  await run.fake.clock.advance(3_600_000)
  return run
}

const gone = (run: Run, name: string) => run.fake.store.get('Node', name) === undefined
const short = (run: Run, name: string, type: string) => {
  const found = run.fake.store.get('Node', name)?.status?.conditions.find((c) => c.type === type)
  return found && `${found.status} ${found.reason}`
}
const peersOfHub = (run: Run) => run.fake.bundles.state('hub-1').content?.peers.map((peer) => peer.name)
const wanted = (run: Run, name: string) => run.fake.commands.wanted.get(`Node/${name}`)?.commands

async function leadOver(run: Run) {
  await run.fake.clock.advance(SEVER_LEAD_MS)
  run.elapse()
  await run.settle()
}

function annotate(run: Run, name: string, annotations: Record<string, string>) {
  run.fake.store.put('Node', name, run.fake.store.get('Node', name)?.spec, { annotations })
}

test('the whole way: SEVER, the hub drops the peer, its telemetry shows it gone, address in quarantine', async () => {
  const run = await fleet()
  const address = run.fake.store.get('Node', 'a')?.status?.address
  run.fake.store.bury('Node/a')
  await run.settle()
  expect(wanted(run, 'a')).toEqual([{ op: OP.SEVER, slot: 0, value: 1 }])
  expect(run.fake.store.isCommitted('uid-a')).toBe(true)
  expect(short(run, 'a', 'Deleting')).toBe('True Severing')
  expect(peersOfHub(run)).toContain('a')
  await leadOver(run)
  expect(peersOfHub(run)).toEqual(['b', 'c', 'd'])
  expect(gone(run, 'a')).toBe(false)
  run.fake.apply('hub-1')
  await run.settle()
  expect(gone(run, 'a')).toBe(true)
  expect(wanted(run, 'a')).toBeUndefined()
  expect(run.fake.registry.retired).toEqual(['a'])
  expect(run.fake.bundles.withdrawn).toEqual(['a'])
  expect(run.fake.allocator.addressOf('uid-a')).toBeUndefined()
  run.fake.node('other', { address })
  await run.settle()
  expect(short(run, 'other', 'Accepted')).toBe('False AddressQuarantined')
})

test('a dead node is never needed', async () => {
  const run = await fleet()
  run.fake.fleet.set({ ...run.fake.fleet.view('a'), liveness: 'Stale' })
  run.fake.store.bury('Node/a')
  await run.settle()
  await leadOver(run)
  run.fake.apply('hub-1')
  await run.settle()
  expect(gone(run, 'a')).toBe(true)
})

test.each([
  [
    'stale telemetry',
    (run: Run) => {
      run.fake.apply('hub-1')
      run.fake.fleet.set({ ...run.fake.fleet.view('hub-1'), liveness: 'Stale' })
    },
  ],
  ['a hub that lost its peers under its earlier bundle', (run: Run) => run.fake.fleet.hear('hub-1', { peers: [] })],
  [
    'a hub that has the bundle and still lists the peer',
    (run: Run) => {
      const { peers } = run.fake.fleet.view('hub-1').report!
      run.fake.apply('hub-1', {})
      run.fake.fleet.hear('hub-1', { peers })
    },
  ],
])('is not done by %s', async (_, show) => {
  const run = await fleet()
  run.fake.store.bury('Node/a')
  await run.settle()
  await leadOver(run)
  show(run)
  await run.settle()
  expect(gone(run, 'a')).toBe(false)
  run.fake.apply('hub-1')
  await run.settle()
  expect(gone(run, 'a')).toBe(true)
})

describe('while something is on it nothing happens', () => {
  test('an Archive names it: Deleting=True, reason ArchivesPresent lists them', async () => {
    const run = await fleet()
    run.fake.store.put('Archive', 'cluster-totebox-x-1', ARCHIVE)
    run.fake.store.bury('Node/a')
    await run.settle()
    expect(short(run, 'a', 'Deleting')).toBe('True ArchivesPresent')
    const ready = run.fake.store.get('Node', 'a')?.status?.conditions.find((c) => c.type === 'Ready')
    expect(ready?.message).toBe('not deleted while it has default/cluster-totebox-x-1')
    expect(wanted(run, 'a')).toBeUndefined()
    expect(run.fake.store.isCommitted('uid-a')).toBe(false)
    expect(peersOfHub(run)).toContain('a')
  })

  test('telemetry shows a VM on it, whoever it belongs to', async () => {
    const run = await fleet()
    run.fake.apply('a', {
      archives: [{ name: 'lost', namespace: 'default', lifecycle: 'Running', slot: 1, id: fakeId('lost') } as never],
    })
    run.fake.store.bury('Node/a')
    await run.settle()
    expect(short(run, 'a', 'Deleting')).toBe('True ArchivesPresent')
    run.fake.apply('a', { archives: [] })
    await run.settle()
    expect(short(run, 'a', 'Deleting')).toBe('True Severing')
  })

  test('it goes on by itself once the last archive is gone', async () => {
    const run = await fleet()
    run.fake.store.put('Archive', 'cluster-totebox-x-1', ARCHIVE)
    run.fake.store.bury('Node/a')
    await run.settle()
    run.fake.store.bury('Archive/default/cluster-totebox-x-1')
    await run.settle()
    expect(short(run, 'a', 'Deleting')).toBe('True Severing')
  })
})

test('the file coming back before the first irreversible effect cancels the deletion without a trace', async () => {
  const run = await fleet()
  run.fake.store.put('Archive', 'cluster-totebox-x-1', ARCHIVE)
  run.fake.store.bury('Node/a')
  await run.settle()
  run.fake.bundles.published.length = 0
  run.fake.store.revive('Node/a')
  await run.settle()
  expect(short(run, 'a', 'Ready')).toBe('True Converged')
  expect(short(run, 'a', 'Deleting')).toBeUndefined()
  expect(run.fake.bundles.published).toEqual([])
})

describe('Orphan', () => {
  test('touches no machine, and the same name applied again re-adopts', async () => {
    const run = await fleet()
    const before = run.fake.store.get('Node', 'a')?.status?.address
    annotate(run, 'a', { [ANNOTATION.deletion]: 'Orphan' })
    await run.settle()
    run.fake.bundles.published.length = 0
    run.fake.store.bury('Node/a')
    await run.settle()
    expect(gone(run, 'a')).toBe(true)
    expect(wanted(run, 'a')).toBeUndefined()
    expect(peersOfHub(run)).toContain('a')
    expect(run.fake.bundles.published).toEqual([])
    expect(run.fake.registry.of('a')).toBeDefined()

    run.fake.store.put('Node', 'a', { role: 'spoke', site: 'onprem', identity: fakeIdentity('a') }, { uid: 'uid-new' })
    await run.settle()
    expect(run.fake.store.get('Node', 'a')?.status?.address).toBe(before)
    expect(run.fake.bundles.published.map(({ node }) => node)).toEqual(['a'])
    expect(run.fake.store.records.list('orphan/')).toEqual([])
    run.fake.apply('a')
    await run.settle()
    expect(short(run, 'a', 'Ready')).toBe('True Converged')
  })

  test('is the way out when no hub is heard any more', async () => {
    const run = await fleet()
    run.fake.fleet.set({ ...run.fake.fleet.view('hub-1'), liveness: 'Stale' })
    run.fake.store.bury('Node/a')
    await run.settle()
    await leadOver(run)
    expect(gone(run, 'a')).toBe(false)
    annotate(run, 'a', { [ANNOTATION.deletion]: 'Orphan' })
    await run.settle()
    expect(gone(run, 'a')).toBe(true)
    expect(peersOfHub(run)).not.toContain('a')
    expect(run.fake.registry.retired).toEqual(['a'])
    expect(run.fake.store.records.list('orphan/')).toEqual([])
  })
})

test('the hub goes last: HubInUse while another Node is there', async () => {
  const run = await fleet()
  run.fake.store.bury('Node/hub-1')
  await run.settle()
  expect(short(run, 'hub-1', 'Deleting')).toBe('True HubInUse')
  expect(wanted(run, 'hub-1')).toBeUndefined()
  expect(run.fake.store.isCommitted('uid-hub-1')).toBe(false)
})

test('a second hub may go while the authority’s stays', async () => {
  const run = await fleet()
  run.fake.node('hub-2', { role: 'hub', endpoint: 'hub2:51820' })
  await run.settle()
  run.fake.store.bury('Node/hub-2')
  await run.settle()
  expect(short(run, 'hub-2', 'Deleting')).toBe('True Severing')
  await leadOver(run)
  for (const name of ['hub-1', 'a']) run.fake.apply(name)
  await run.settle()
  expect(gone(run, 'hub-2')).toBe(true)
  expect(run.fake.bundles.state('a').content?.peers.map((peer) => peer.name)).toEqual(['hub-1'])
})

test('the last node of all needs no witness', async () => {
  const run = runControllers((world) => [nodeController(world)])
  run.fake.node('hub-1', { role: 'hub', endpoint: 'hub:51820' })
  await run.settle()
  run.fake.store.bury('Node/hub-1')
  await run.settle()
  expect(short(run, 'hub-1', 'Deleting')).toBe('False DeletionHeld')
  await run.world.holds.confirm('Node/hub-1')
  await run.settle()
  expect(gone(run, 'hub-1')).toBe(true)
})

test('a teardown outlives the authority', async () => {
  const durable = fakeDurable()
  const first = await fleet(durable)
  first.fake.store.bury('Node/a')
  await first.settle()
  const second = runControllers((world) => [nodeController(world)], fakeWorld(durable, first.fake.clock))
  await second.settle()
  expect(wanted(second, 'a')).toEqual([{ op: OP.SEVER, slot: 0, value: 1 }])
  await leadOver(second)
  second.fake.apply('hub-1')
  await second.settle()
  expect(gone(second, 'a')).toBe(true)
})

test('a held deletion has no teardown effect at all until it is confirmed', async () => {
  const run = await fleet()
  for (const name of ['a', 'b', 'c']) run.fake.store.bury(`Node/${name}`)
  await run.settle()
  for (const name of ['a', 'b', 'c']) {
    expect(short(run, name, 'Deleting')).toBe('False DeletionHeld')
    expect(wanted(run, name)).toBeUndefined()
    expect(run.fake.store.isCommitted(`uid-${name}`)).toBe(false)
  }
  expect(run.fake.recorded.filter((event) => event.reason === 'DeletionHeld')).toHaveLength(3)
  expect(run.fake.recorded.at(-1)?.message).toContain('ppn confirm node/')
  await leadOver(run)
  expect(peersOfHub(run)).toEqual(['a', 'b', 'c', 'd'])
  expect(await run.world.holds.confirm('Node/b')).toEqual(['Node/b'])
  await run.settle()
  expect(short(run, 'b', 'Deleting')).toBe('True Severing')
  expect(short(run, 'a', 'Deleting')).toBe('False DeletionHeld')
})
