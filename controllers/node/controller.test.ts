// Behaviour of Nodes over the ports: acceptance, addresses, enrolment, bundles, isolation, law 2 and law 6.
import { describe, expect, test } from 'vitest'
import type { Condition } from '../../api/meta.ts'
import { ANNOTATION } from '../../api/meta.ts'
import { OP } from '../../protocol/command/ops.ts'
import type { MiB, Sequence, Slot, Term } from '../../protocol/ids.ts'
import { type FakeWorld, fakeDurable, fakeIdentity, fakeKey, fakeWorld } from '../testing/fake-world.ts'
import { type Run, runControllers } from '../testing/run.ts'
import { nodeController } from './controller.ts'
import { BLIND_AFTER_MS } from './isolation.ts'
import { observeNode } from './observe.ts'
import { nodeFacts, planNode } from './plan.ts'

const start = (fake?: FakeWorld): Run => runControllers((world) => [nodeController(world)], fake)

/** hub-1, office and laptop, as three files of a folder. */
async function office(fake?: FakeWorld): Promise<Run> {
  const run = start(fake)
  run.fake.node('hub-1', { role: 'hub', site: 'cloud', endpoint: 'hub.example:51820' })
  run.fake.node('laptop', { site: 'leased' })
  run.fake.node('office')
  await run.settle()
  return run
}

async function converged(): Promise<Run> {
  const run = await office()
  for (const name of ['hub-1', 'laptop', 'office']) run.fake.apply(name)
  await run.settle()
  return run
}

function condition(run: Run, name: string, type: string): Condition | undefined {
  return run.fake.store.get('Node', name)?.status?.conditions.find((c) => c.type === type)
}
const short = (run: Run, name: string, type: string) => {
  const found = condition(run, name, type)
  return found && `${found.status} ${found.reason}`
}
const isolateMark = (value: number) => ({
  op: OP.ISOLATE,
  slot: 0 as Slot,
  term: 1 as Term,
  sequence: 9 as Sequence,
  value,
  state: 'done' as const,
})
const wanted = (run: Run, name: string) => run.fake.commands.wanted.get(`Node/${name}`)?.commands

test('what a machine cannot do is a condition of its Node for as long as it says so', async () => {
  const run = await converged()
  expect(short(run, 'office', 'Equipped')).toBeUndefined()
  const lacks = [{ what: 'CpuWeights' as const, reason: 'no cgroup v2 cpu controller' }]
  run.fake.fleet.hear('office', { capacity: { memoryMiB: 8192 as MiB, cpus: 4, lacks } })
  await run.settle()
  expect(condition(run, 'office', 'Equipped')).toMatchObject({
    status: 'False',
    reason: 'NoCpuWeights',
    message: 'CpuWeights: no cgroup v2 cpu controller',
  })
  run.fake.fleet.hear('office', { capacity: { memoryMiB: 8192 as MiB, cpus: 4 } })
  await run.settle()
  expect(short(run, 'office', 'Equipped')).toBeUndefined()
})

test('law 2: Isolated is True only with the mark, not from the effect alone', async () => {
  const run = await converged()
  run.fake.fleet.hear('office', { isolated: true })
  await run.settle()
  expect(short(run, 'office', 'Isolated')).toBe('Unknown Unconfirmed')
  run.fake.fleet.hear('office', { isolated: true, marks: [isolateMark(1)] })
  await run.settle()
  expect(short(run, 'office', 'Isolated')).toBe('True Isolated')
})

describe('acceptance', () => {
  test('gives the hub .1 and the others the next addresses, in the order they were first seen', async () => {
    const run = start()
    run.fake.node('zebra', { role: 'hub', endpoint: 'z:51820' })
    await run.fake.clock.advance(1000)
    run.fake.node('aardvark')
    await run.settle()
    expect(run.fake.store.get('Node', 'zebra')?.status?.address).toBe('10.8.0.1')
    expect(run.fake.store.get('Node', 'aardvark')?.status?.address).toBe('10.8.0.2')
  })

  test('gives addresses in the order of first sight, whichever node is reconciled first', async () => {
    const fake = fakeWorld()
    for (const name of ['d', 'b', 'c', 'a']) {
      fake.node(name)
      await fake.clock.advance(1000)
    }
    const run = start(fake)
    await run.settle()
    expect(run.taken()[0]).toBe('Node/a')
    const address = (name: string) => fake.store.get('Node', name)?.status?.address
    expect(['d', 'b', 'c', 'a'].map(address)).toEqual(['10.8.0.1', '10.8.0.2', '10.8.0.3', '10.8.0.4'])
  })

  test('never gives by choice what another node declares', async () => {
    const run = start()
    run.fake.node('free')
    await run.fake.clock.advance(1000)
    run.fake.node('fixed', { address: '10.8.0.1' })
    await run.settle()
    expect(run.fake.store.get('Node', 'free')?.status?.address).toBe('10.8.0.2')
    expect(run.fake.store.get('Node', 'fixed')?.status?.address).toBe('10.8.0.1')
  })

  test('refuses a taken address, leaves the holder as it is and warns it', async () => {
    const run = await converged()
    const { published } = run.fake.bundles
    published.length = 0
    run.fake.recorded.length = 0
    const held = run.fake.store.get('Node', 'office')?.status?.address as string
    run.fake.node('twin', { address: held })
    await run.settle()
    expect(short(run, 'twin', 'Accepted')).toBe('False AddressTaken')
    expect(short(run, 'twin', 'Stalled')).toBe('True AddressTaken')
    expect(condition(run, 'twin', 'Enrolled')?.message).toBe('no keys are known')
    expect(short(run, 'office', 'Ready')).toBe('True Converged')
    expect(published).toEqual([])
    expect(run.fake.recorded.map(({ object, type, reason }) => [object, type, reason])).toEqual([
      ['Node/twin', 'Warning', 'AddressTaken'],
      ['Node/office', 'Warning', 'AddressTaken'],
    ])
  })

  test('keeps the address a node holds when the one it asks for next is taken', async () => {
    const run = await converged()
    const before = run.fake.store.get('Node', 'laptop')?.status?.address
    run.fake.node('laptop', { site: 'leased', address: '10.8.0.1' })
    await run.settle()
    expect(short(run, 'laptop', 'Accepted')).toBe('False AddressTaken')
    expect(run.fake.store.get('Node', 'laptop')?.status?.address).toBe(before)
    expect(run.fake.bundles.state('hub-1').content?.peers).toHaveLength(2)
  })

  test.each([
    ['a node of no mesh', { mesh: 'nowhere' }, 'MeshUnknown'],
    ['an address outside the mesh', { address: '10.9.0.1' }, 'OutsideMesh'],
  ])('refuses %s, with one event', async (_, spec, reason) => {
    const run = start()
    run.fake.store.put('Node', 'n', { role: 'spoke', site: 'cloud', identity: fakeIdentity('n'), ...spec })
    await run.settle()
    run.enqueue('node', 'Node/n', 'again')
    await run.settle()
    expect(short(run, 'n', 'Accepted')).toBe(`False ${reason}`)
    expect(run.fake.recorded.filter((event) => event.reason === reason)).toHaveLength(1)
    expect(wanted(run, 'n')).toBeUndefined()
  })

  test('refuses to isolate an authority’s node', async () => {
    const run = start()
    run.fake.store.put('Mesh', 'default', { authorityNodes: ['office'] })
    run.fake.node('hub-1', { role: 'hub', endpoint: 'h:1' })
    run.fake.node('office', { isolated: true })
    await run.settle()
    expect(short(run, 'office', 'Accepted')).toBe('False CannotIsolate')
    expect(wanted(run, 'office')).toBeUndefined()
  })

  test('refuses a node of a second Mesh', async () => {
    const run = start()
    run.fake.store.put('Mesh', 'first', {})
    await run.fake.clock.advance(1000)
    run.fake.store.put('Mesh', 'second', {})
    run.fake.node('n', { mesh: 'second' })
    await run.settle()
    expect(short(run, 'n', 'Accepted')).toBe('False MeshNotAccepted')
    expect(condition(run, 'n', 'Ready')?.message).toContain('serves Mesh first')
  })
})

describe('enrolment', () => {
  test('is declared by spec.identity', async () => {
    const run = await office()
    expect(short(run, 'office', 'Enrolled')).toBe('True Enrolled')
    expect(run.fake.registry.of('office')).toMatchObject({ how: 'declared', identity: fakeIdentity('office') })
  })

  test('is missing without keys, and comes as soon as the registry has a line', async () => {
    const run = await converged()
    run.fake.store.put('Node', 'new', { role: 'spoke', site: 'onprem' })
    await run.settle()
    expect(short(run, 'new', 'Stalled')).toBe('True NoIdentity')
    await run.fake.registry.enrol('new', 'id' as never, fakeIdentity('new'), 'simulated')
    await run.settle()
    expect(short(run, 'new', 'Enrolled')).toBe('True Enrolled')
    expect(run.fake.bundles.state('new').stage).toBe('Pending')
  })

  test('other keys for an enrolled name are refused and the node keeps its place', async () => {
    const run = await converged()
    run.fake.node('office', { identity: fakeIdentity('imposter') })
    await run.settle()
    expect(short(run, 'office', 'Enrolled')).toBe('False IdentityDiffers')
    expect(run.fake.bundles.state('hub-1').content?.peers.map((peer) => peer.publicKey)).toContain(
      fakeKey('office wireguard'),
    )
  })
})

describe('keys of one machine under two names', () => {
  test('are refused for the second, declared by hand as well, and the first keeps its place', async () => {
    const run = await converged()
    const copied = { ...fakeIdentity('copy'), commandPublicKey: fakeIdentity('office').commandPublicKey }
    run.fake.node('copy', { identity: copied })
    await run.settle()
    expect(short(run, 'copy', 'Enrolled')).toBe('False KeyEnrolledElsewhere')
    expect(condition(run, 'copy', 'Enrolled')?.message).toContain('enrolled for office')
    expect(short(run, 'office', 'Enrolled')).toBe('True Enrolled')
    expect(run.fake.registry.of('copy')).toBeUndefined()
  })
})

describe('bundles', () => {
  test('a new spoke changes the hub’s bundle and no other spoke’s', async () => {
    const run = await converged()
    run.fake.bundles.published.length = 0
    run.fake.node('tablet')
    await run.settle()
    expect(run.fake.bundles.published.map(({ node }) => node).sort()).toEqual(['hub-1', 'tablet'])
  })

  test('without a hub nothing can be made, and the node says so', async () => {
    const run = start()
    run.fake.node('lonely')
    await run.settle()
    expect(short(run, 'lonely', 'Stalled')).toBe('True NoHub')
    run.fake.node('hub-1', { role: 'hub', endpoint: 'h:1' })
    await run.settle()
    expect(short(run, 'lonely', 'Ready')).toBe('Unknown Unheard')
    expect(run.fake.bundles.state('lonely').stage).toBe('Pending')
  })

  test('ConfigApplied is true only of the digest wanted now', async () => {
    const run = await converged()
    expect(short(run, 'hub-1', 'ConfigApplied')).toBe('True Applied')
    run.fake.node('tablet')
    await run.settle()
    expect(short(run, 'hub-1', 'ConfigApplied')).toBe('False Pending')
    expect(short(run, 'hub-1', 'Ready')).toBe('False BundlePending')
    run.fake.apply('hub-1')
    await run.settle()
    expect(short(run, 'hub-1', 'Ready')).toBe('True Converged')
  })

  test.each([
    [{ stage: 'Reverted', held: true, reason: 'NoHub' }, 'True Reverted', 'Stalled'],
    [{ stage: 'Reverted', held: false, reason: 'NoHub' }, 'True Reverted', 'Reconciling'],
    [{ stage: 'Refused', held: false, reason: 'BundleVersion' }, 'True BundleRefused', 'Stalled'],
  ] as const)('a bundle that is %j shows on the node', async (state, expected, type) => {
    const run = await converged()
    run.fake.bundles.force('office', state)
    await run.settle()
    expect(short(run, 'office', type)).toBe(expected)
  })

  test('what it says of a bundle is for people: no reason code, no revision that is not there', async () => {
    const run = await converged()
    run.fake.bundles.force('office', { stage: 'Reverted', held: true, reason: 'RevertedHeld' })
    await run.settle()
    expect(condition(run, 'office', 'Ready')?.message).toMatch(/ppn confirm node\/office$/)
    expect(condition(run, 'office', 'Ready')?.message).not.toMatch(/RevertedHeld/)
    run.fake.bundles.force('office', { stage: 'Pending', held: false, revision: undefined })
    run.fake.fleet.hear('office', { bundles: {} })
    await run.settle()
    expect(condition(run, 'office', 'Ready')?.message).toBe('a new bundle is on its way')
  })

  test('a publisher that has not taken the content yet is not trusted about the one before', async () => {
    const run = await converged()
    const node = run.fake.store.get('Node', 'office')!
    const observed = await observeNode(run.world, node, {})
    expect(nodeFacts(node, observed).applied).toBe(true)
    expect(nodeFacts(node, { ...observed, published: false, publishedThisRun: true }).applied).toBe(false)
  })

  test('a restart wants the same content and gives no other revision', async () => {
    const durable = fakeDurable()
    const first = await office(fakeWorld(durable))
    const before = first.fake.bundles.published.length
    const contents = (run: Run) => ['hub-1', 'laptop', 'office'].map((name) => run.fake.bundles.state(name).content)
    const second = start(fakeWorld(durable))
    await second.settle()
    expect(before).toBeGreaterThan(0)
    expect(contents(second)).toEqual(contents(first))
  })
})

describe('law 2', () => {
  test('with telemetry cut nothing becomes Ready and what was Ready becomes Unknown', async () => {
    const run = await converged()
    expect(short(run, 'office', 'Ready')).toBe('True Converged')
    run.fake.fleet.set({ ...run.fake.fleet.view('office'), liveness: 'Stale' })
    await run.settle()
    expect(short(run, 'office', 'Ready')).toBe('Unknown Silent')
    expect(short(run, 'office', 'Connected')).toBe('False Silent')
    expect(short(run, 'office', 'ConfigApplied')).toBe('Unknown Silent')
    expect(run.fake.store.get('Node', 'office')?.status?.paths).toBeUndefined()
  })

  test.each(['Unheard', 'Braked', 'Superseded'] as const)('a node that is %s is Unknown', async (liveness) => {
    const run = await converged()
    run.fake.fleet.set({ node: 'office', liveness })
    await run.settle()
    expect(short(run, 'office', 'Ready')).toBe(`Unknown ${liveness}`)
    expect(short(run, 'office', 'Isolated')).toBe('Unknown NotHeard')
  })

  test('a report that outlived its freshness is history: isolation it shows is not believed', async () => {
    const run = await converged()
    run.fake.node('office', { isolated: true })
    const view = run.fake.fleet.view('office')
    run.fake.fleet.set({
      ...view,
      liveness: 'Stale',
      report: { ...view.report!, isolated: true, marks: [isolateMark(1)] },
    })
    await run.settle()
    expect(short(run, 'office', 'Ready')).toBe('Unknown Silent')
  })

  test('a superseded authority knows nothing', async () => {
    const run = await converged()
    run.fake.fleet.setSuperseded(true)
    run.fake.fleet.hear('office')
    await run.settle()
    expect(short(run, 'office', 'Ready')).toBe('Unknown Superseded')
  })
})

describe('isolation', () => {
  test('is commanded until telemetry shows mark and effect, and is Ready as declared', async () => {
    const run = await converged()
    run.fake.node('office', { isolated: true })
    await run.settle()
    expect(wanted(run, 'office')).toEqual([{ op: OP.ISOLATE, slot: 0, value: 1 }])
    expect(short(run, 'office', 'Ready')).toBe('False Isolating')
    run.fake.apply('office', { isolated: true })
    await run.settle()
    expect(short(run, 'office', 'Ready')).toBe('False Isolating')
    run.fake.apply('office', { isolated: true, marks: [isolateMark(1)] })
    await run.settle()
    expect(wanted(run, 'office')).toBeUndefined()
    expect(short(run, 'office', 'Ready')).toBe('True Isolated')
    expect(short(run, 'office', 'Isolated')).toBe('True Isolated')
  })

  test('changes no bundle', async () => {
    const run = await converged()
    run.fake.bundles.published.length = 0
    run.fake.node('office', { isolated: true })
    await run.settle()
    expect(run.fake.bundles.published).toEqual([])
  })

  test('taken back before it was seen, the opposite is sent although the effect already fits', async () => {
    const run = await converged()
    run.fake.commands.sent('office', OP.ISOLATE, 0, 1)
    run.enqueue('node', 'Node/office', 'test')
    await run.settle()
    expect(wanted(run, 'office')).toEqual([{ op: OP.ISOLATE, slot: 0, value: 0 }])
  })

  test('of a node not heard since the start is told blindly after a minute, not before', async () => {
    const run = start()
    run.fake.node('hub-1', { role: 'hub', endpoint: 'h:1' })
    run.fake.node('office', { isolated: true })
    await run.settle()
    expect(wanted(run, 'office')).toBeUndefined()
    await run.fake.clock.advance(BLIND_AFTER_MS)
    run.elapse()
    await run.settle()
    expect(wanted(run, 'office')).toEqual([{ op: OP.ISOLATE, slot: 0, value: 1 }])
  })
})

test('the plan is data: what a newly isolated node needs, and nothing else', async () => {
  const run = await converged()
  const before = run.fake.store.get('Node', 'office')!
  const node = { ...before, spec: { ...before.spec, isolated: true } }
  const plan = planNode(node, await observeNode(run.world, node, {}))
  expect(plan.filter((effect) => effect.type !== 'status')).toEqual([
    { type: 'commands', node: 'office', commands: [{ op: OP.ISOLATE, slot: 0, value: 1 }] },
    { type: 'event', eventType: 'Normal', reason: 'Isolating', message: 'ISOLATE is on its way' },
  ])
  expect(planNode(before, await observeNode(run.world, before, {}))).toEqual([])
})

describe('law 6', () => {
  test('reconciling a converged fleet again does nothing at all', async () => {
    const run = await converged()
    const statuses = () => run.fake.store.list('Node').map((node) => node.metadata.resourceVersion)
    const before = statuses()
    run.fake.bundles.published.length = 0
    run.fake.recorded.length = 0
    for (const name of ['hub-1', 'laptop', 'office']) run.enqueue('node', `Node/${name}`, 'resync')
    await run.fake.clock.advance(60_000)
    for (const name of ['hub-1', 'laptop', 'office']) run.fake.apply(name, { wallClockMs: 77 })
    await run.settle()
    expect(statuses()).toEqual(before)
    expect(run.fake.bundles.published).toEqual([])
    expect(run.fake.commands.wanted.size).toBe(0)
    expect(run.fake.recorded).toEqual([])
  })

  test('last heard moves after two to four hours', async () => {
    const run = await converged()
    const lastHeard = () => run.fake.store.get('Node', 'office')?.status?.lastHeard
    const first = lastHeard()
    await run.fake.clock.advance(7_199_000)
    run.fake.apply('office')
    await run.settle()
    expect(lastHeard()).toBe(first)
    await run.fake.clock.advance(7_201_000)
    run.fake.apply('office')
    await run.settle()
    expect(lastHeard()).toBe('2026-01-01T04:00:00Z')
  })
})

describe('paused', () => {
  test('is left alone: no bundle, no command, Ready is Unknown', async () => {
    const run = await converged()
    run.fake.bundles.published.length = 0
    run.fake.store.put(
      'Node',
      'office',
      { role: 'spoke', site: 'cloud', identity: fakeIdentity('office'), isolated: true },
      { annotations: { [ANNOTATION.paused]: 'yes' } },
    )
    await run.settle()
    expect(short(run, 'office', 'Ready')).toBe('Unknown Paused')
    expect(run.fake.bundles.published).toEqual([])
    expect(wanted(run, 'office')).toBeUndefined()
  })

  test('takes back what was being asked of the machine', async () => {
    const run = await converged()
    run.fake.node('office', { isolated: true })
    await run.settle()
    expect(wanted(run, 'office')).toHaveLength(1)
    const { spec } = run.fake.store.get('Node', 'office')!
    run.fake.store.put('Node', 'office', spec, { annotations: { [ANNOTATION.paused]: '' } })
    await run.settle()
    expect(wanted(run, 'office')).toBeUndefined()
  })
})

test('a set brake stalls what has not converged and says so', async () => {
  const run = await converged()
  run.fake.setBrake(true)
  run.fake.node('tablet')
  await run.settle()
  expect(short(run, 'hub-1', 'Stalled')).toBe('True Braked')
  expect(short(run, 'office', 'Ready')).toBe('True Converged')
})
