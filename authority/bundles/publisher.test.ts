import { expect, test } from 'vitest'
import { openSignedBundle } from '../../protocol/bundle/seal.ts'
import { generateEd25519 } from '../../protocol/keys.ts'
import { seededRandom } from '../../testing/seeded-random.ts'
import { AUTHORITY_CHANGE_MS, LAGGARD_MS, MISSED_APPLY_MS } from './limits.ts'
import { bundleWorld, contentOf } from './testing/world.ts'

/** A fleet in which every node has applied its first content, of mtu 1400. */
async function converged(count = 3) {
  const world = bundleWorld(count)
  world.start()
  for (const node of world.names) {
    world.want(node, 1400)
    world.hear(node)
  }
  await world.clock.advance(10_000)
  for (const node of world.names) expect(world.publisher().state(node).stage).toBe('Applied')
  world.happenings.length = 0
  return world
}

test('a change reaches only the node whose content changed, and is applied after one APPLY', async () => {
  const world = await converged()
  const before = world.publisher().revision()
  world.want('n2', 1300)
  for (const node of ['n3', 'n4']) world.want(node, 1400)
  await world.clock.advance(100)
  expect(world.happenings).toMatchObject([
    { type: 'push', node: 'n2', revision: before + 1, switch: 'onApply' },
    { type: 'apply', revision: before + 1 },
  ])
  expect(world.agent('n2').applied?.content.interface.mtu).toBe(1300)
  expect(world.publisher().state('n2')).toMatchObject({ stage: 'Applied', held: false, revision: before + 1 })
})

test('wants that come together share one revision, and switch together', async () => {
  const world = await converged()
  const staged: number[] = []
  for (const node of world.names) world.want(node, 1300)
  world.faults.report = (node) => world.octetOf(node) * 10
  const told = world.publisher().subscribe(() => staged.push(world.names.filter((n) => world.agent(n).staged).length))
  await world.clock.advance(200)
  told()
  expect(new Set(world.pushes().map((p) => p.revision)).size).toBe(1)
  expect(world.applies().length).toBe(1)
  expect(Math.max(...staged)).toBe(3)
  for (const node of world.names) expect(world.publisher().state(node).stage).toBe('Applied')
})

test('a steady trickle of wants is given a revision all the same', async () => {
  const world = await converged()
  for (let i = 0; i < 30; i++) {
    world.want('n2', 1300 + i)
    await world.clock.advance(4)
  }
  expect(world.pushes().length).toBeGreaterThan(0)
})

test('an equal content costs nothing (law 6)', async () => {
  const world = await converged()
  const heard: string[] = []
  world.publisher().subscribe((node) => heard.push(node))
  for (let i = 0; i < 5; i++) {
    for (const node of world.names) world.want(node, 1400)
    await world.clock.advance(60_000)
  }
  expect(world.happenings).toEqual([])
  expect(heard).toEqual([])
})

test('a content that changes and changes back within the window costs nothing', async () => {
  const world = await converged()
  world.want('n2', 1300)
  world.want('n2', 1400)
  await world.clock.advance(1000)
  expect(world.happenings).toEqual([])
})

test('after a restart of a converged fleet nothing is published, whatever order nodes are heard in (law 6)', async () => {
  const world = await converged()
  world.start()
  world.hear('n3')
  for (const node of world.names) world.want(node, 1400)
  expect(world.publisher().state('n2').stage).toBe('Pending')
  await world.clock.advance(30_000)
  for (const node of world.names) world.hear(node)
  await world.clock.advance(60_000)
  expect(world.happenings).toEqual([])
  for (const node of world.names) expect(world.publisher().state(node).stage).toBe('Applied')
})

test('nothing is pushed to a node that is not heard', async () => {
  const world = await converged()
  world.silence('n2')
  world.want('n2', 1300)
  await world.clock.advance(120_000)
  expect(world.pushes()).toEqual([])
  expect(world.publisher().state('n2')).toMatchObject({ stage: 'Pending', reason: 'NotConnected' })
})

test('a node heard again after the APPLY it missed gets its bundle onReceipt', async () => {
  const world = await converged()
  world.silence('n2')
  for (const node of world.names) world.want(node, 1300)
  await world.clock.advance(1000)
  expect(world.applies().length).toBe(1)
  expect(world.agent('n2').applied?.content.interface.mtu).toBe(1400)
  world.agent('n2').told = undefined
  world.hear('n2')
  await world.clock.advance(100)
  expect(world.pushes().at(-1)).toMatchObject({ node: 'n2', switch: 'onReceipt' })
  expect(world.publisher().state('n2').stage).toBe('Applied')
})

test('a laggard is waited for, but not longer than 5 s', async () => {
  const world = await converged()
  world.faults.push = (node) => (node === 'n4' ? undefined : 1)
  for (const node of world.names) world.want(node, 1300)
  await world.clock.advance(LAGGARD_MS - 100)
  expect(world.applies()).toEqual([])
  expect(world.publisher().state('n2').stage).toBe('Staged')
  await world.clock.advance(200)
  expect(world.applies().length).toBe(1)
  expect(world.publisher().state('n2').stage).toBe('Applied')
  world.faults.push = () => 1
  await world.clock.advance(10_000)
  expect(world.publisher().state('n4').stage).toBe('Applied')
})

test('a node that misses the APPLY has its bundle signed again, onReceipt', async () => {
  const world = await converged()
  world.faults.apply = (node) => (node === 'n3' ? undefined : 1)
  for (const node of world.names) world.want(node, 1300)
  await world.clock.advance(MISSED_APPLY_MS - 200)
  expect(world.publisher().state('n3').stage).toBe('Staged')
  await world.clock.advance(1000)
  expect(world.pushes().at(-1)).toMatchObject({ node: 'n3', switch: 'onReceipt', why: 'MissedApply' })
  expect(world.publisher().state('n3').stage).toBe('Applied')
  expect(world.applies().length).toBe(1)
})

test('the next revision is pushed only after the APPLY of the one before', async () => {
  const world = await converged()
  world.faults.push = (node) => (node === 'n4' ? undefined : 1)
  for (const node of world.names) world.want(node, 1300)
  await world.clock.advance(500)
  for (const node of world.names) world.want(node, 1290)
  await world.clock.advance(2000)
  const first = world.pushes()[0]?.revision as number
  expect(new Set(world.pushes().map((p) => p.revision))).toEqual(new Set([first]))
  world.faults.push = () => 1
  await world.clock.advance(10_000)
  const order = world.happenings.map((h) => `${h.type} ${h.revision - first}`)
  expect(order.indexOf('push 1')).toBeGreaterThan(order.indexOf('apply 0'))
  for (const node of world.names) expect(world.agent(node).applied?.content.interface.mtu).toBe(1290)
})

test('a change taken back after it was staged is not switched to by a later APPLY', async () => {
  const world = await converged()
  world.faults.report = () => 1000
  world.want('n2', 1300)
  await world.clock.advance(20)
  expect(world.agent('n2').staged?.content.interface.mtu).toBe(1300)
  world.start({ lastConnected: [] })
  for (const node of world.names) world.want(node, node === 'n3' ? 1290 : 1400)
  world.faults.report = () => 1
  const mtus = new Set<number | undefined>()
  world.publisher().subscribe(() => mtus.add(world.agent('n2').applied?.content.interface.mtu))
  for (const node of world.names) world.hear(node)
  await world.clock.advance(20_000)
  expect(world.agent('n2').staged).toBeUndefined()
  expect(world.agent('n2').applied?.content.interface.mtu).toBe(1400)
  expect(world.agent('n3').applied?.content.interface.mtu).toBe(1290)
  expect(mtus).toEqual(new Set([1400]))
})

test('a bundle that does not lead its node to this authority is not given out', async () => {
  const world = await converged()
  world.faults.unreached = '10.8.0.9, where it stands, is not in it yet'
  const refused = world.publisher().firstBundle('n2')
  await expect(refused).rejects.toMatchObject({
    code: 'AuthorityUnreached',
    message: expect.stringContaining('10.8.0.9'),
  })
  expect(world.happenings).toEqual([])
  world.faults.unreached = undefined
  await expect(world.publisher().firstBundle('n2')).resolves.toBeInstanceOf(Uint8Array)
})

test('under the brake nothing goes out, and what waited switches together afterwards (law 12)', async () => {
  const world = await converged()
  world.faults.braked = true
  for (const node of world.names) world.want(node, 1300)
  await world.clock.advance(60_000)
  expect(world.happenings).toEqual([])
  expect(world.publisher().state('n2')).toMatchObject({ stage: 'Pending', reason: 'Braked' })
  await expect(world.publisher().firstBundle('n2')).rejects.toMatchObject({ code: 'PublicationHeld' })
  world.faults.braked = false
  await world.clock.advance(10_000)
  expect(world.pushes().map((p) => p.switch)).toEqual(['onApply', 'onApply', 'onApply'])
  expect(world.applies().length).toBe(1)
})

test('the brake set between staging and APPLY holds the APPLY back', async () => {
  const world = await converged()
  world.faults.report = () => 50
  world.want('n2', 1300)
  await world.clock.advance(20)
  world.faults.braked = true
  await world.clock.advance(30_000)
  expect(world.applies()).toEqual([])
  world.faults.braked = false
  await world.clock.advance(5_000)
  expect(world.applies().length).toBe(1)
  expect(world.publisher().state('n2').stage).toBe('Applied')
})

test('a reverted content is held for a person, and goes on with the next attempt when told so', async () => {
  const world = await converged()
  world.agent('n2').rejects = (content) => content.interface.mtu === 1300 && content.attempt === 0
  world.want('n2', 1300)
  await world.clock.advance(600_000)
  expect(world.publisher().state('n2')).toMatchObject({ stage: 'Reverted', held: true, reason: 'RevertedHeld' })
  expect(world.pushes().length).toBe(1)
  world.publisher().retry('n2')
  await world.clock.advance(10_000)
  expect(world.publisher().state('n2')).toMatchObject({ stage: 'Applied', held: false })
  expect(world.agent('n2').applied?.content.attempt).toBe(1)
})

test('a change that several nodes go back from is held on each of them', async () => {
  const world = await converged()
  for (const node of world.names) world.agent(node).rejects = (content) => content.interface.mtu === 1300
  for (const node of world.names) world.want(node, 1300)
  await world.clock.advance(60_000)
  for (const node of world.names) expect(world.publisher().state(node)).toMatchObject({ stage: 'Reverted', held: true })
  expect(world.pushes().length).toBe(3)
})

test('another content ends the hold', async () => {
  const world = await converged()
  world.agent('n2').rejects = (content) => content.interface.mtu === 1300
  world.want('n2', 1300)
  await world.clock.advance(10_000)
  world.want('n2', 1350)
  await world.clock.advance(10_000)
  expect(world.publisher().state('n2')).toMatchObject({ stage: 'Applied', held: false })
})

test('a content reverted because the authority started within its 60 s is tried again, once for each start', async () => {
  const world = await converged()
  world.agent('n2').rejects = (content) => content.interface.mtu === 1300
  world.want('n2', 1300)
  await world.clock.advance(20_000)
  for (let tries = 1; tries <= 4; tries++) {
    world.start()
    for (const node of world.names) world.want(node, node === 'n2' ? 1300 : 1400)
    for (const node of world.names) world.hear(node)
    await world.clock.advance(40_000)
    expect(world.publisher().state('n2')).toMatchObject({ stage: 'Reverted', held: true })
    expect(world.pushes().length).toBe(1 + Math.min(tries, 3))
  }
})

test('an authority start long after the publication is no reason to try again', async () => {
  const world = await converged()
  world.agent('n2').rejects = (content) => content.interface.mtu === 1300
  world.want('n2', 1300)
  await world.clock.advance(AUTHORITY_CHANGE_MS + 1000)
  world.start()
  for (const node of world.names) world.want(node, node === 'n2' ? 1300 : 1400)
  for (const node of world.names) world.hear(node)
  await world.clock.advance(60_000)
  expect(world.pushes().length).toBe(1)
  expect(world.publisher().state('n2')).toMatchObject({ stage: 'Reverted', held: true })
})

test('a change of the authority address is switched on receipt', async () => {
  const world = await converged()
  world.want('n2', 1400, '10.8.0.9')
  await world.clock.advance(1000)
  expect(world.pushes()).toMatchObject([{ node: 'n2', switch: 'onReceipt' }])
  expect(world.publisher().state('n2').stage).toBe('Applied')
})

test('a node many terms behind gets its unchanged bundle again, onReceipt, while it is heard', async () => {
  const world = await converged()
  world.unheard('n2')
  world.publisher().needsOnReceipt('n2', 'TermBehind')
  await world.clock.advance(100)
  expect(world.pushes()).toMatchObject([{ node: 'n2', switch: 'onReceipt', why: 'TermBehind', revision: 1 }])
  await world.clock.advance(3_600_000)
  expect(world.pushes().length).toBeLessThan(8)
  world.hear('n2')
  world.happenings.length = 0
  await world.clock.advance(3_600_000)
  expect(world.happenings).toEqual([])
})

test('a node that lost its marks gets a floor above all it was sent, once', async () => {
  const world = await converged()
  world.agent('n2').marksLost = true
  world.unheard('n2')
  for (let i = 0; i < 3; i++) {
    world.publisher().needsOnReceipt('n2', 'MarksLost')
    await world.clock.advance(10)
  }
  expect(world.agent('n2').applied?.content.minSequence).toEqual({ term: 1, sequence: 501 })
  expect(world.agent('n2').marksLost).toBe(false)
  world.hear('n2')
  await world.clock.advance(10_000)
  expect(world.publisher().state('n2').stage).toBe('Applied')
  expect(world.pushes()).toMatchObject([{ node: 'n2', switch: 'onReceipt', why: 'MarksLost' }])
  world.start()
  for (const node of world.names) world.want(node, 1400)
  for (const node of world.names) world.hear(node)
  await world.clock.advance(60_000)
  expect(world.pushes().length).toBe(1)
})

test('the first bundle is sealed for its node, onReceipt, under a durable revision', async () => {
  const world = bundleWorld(2)
  world.start()
  const never = world.publisher().firstBundle('n2')
  await expect(never).rejects.toMatchObject({ code: 'NothingWanted' })
  world.want('n2', 1400)
  const sealing = world.publisher().firstBundle('n2')
  await world.clock.advance(100)
  const bytes = await sealing
  const trusted = { authorityId: 'a'.repeat(32), signingPublicKey: generateEd25519(seededRandom(7)).publicKey }
  const opened = openSignedBundle(bytes, [trusted])
  expect(opened).toMatchObject({ ok: true, bundle: { document: { switch: 'onReceipt', revision: 1 } } })
  expect(world.facts.get('revision')?.value).toMatchObject({ revision: 1 })
  world.agent('n2').receive(bytes)
  world.hear('n2')
  await world.clock.advance(1000)
  expect(world.publisher().state('n2').stage).toBe('Applied')
  expect(world.pushes().filter((p) => p.why !== 'First')).toEqual([])
})

test('a node that is not enrolled is published to as soon as it is', async () => {
  const world = bundleWorld(1)
  const enrolment = world.enrolments.get('n2')
  world.start()
  world.enrol('n2', undefined)
  world.want('n2', 1400)
  world.hear('n2')
  await world.clock.advance(1000)
  expect(world.publisher().state('n2')).toMatchObject({ stage: 'Pending', reason: 'NotEnrolled' })
  world.enrol('n2', enrolment)
  await world.clock.advance(1000)
  expect(world.publisher().state('n2').stage).toBe('Applied')
})

test('a revision is seen through on all its nodes, though one wants something else by now', async () => {
  const world = await converged()
  world.faults.push = (node) => (node === 'n4' ? undefined : 1)
  for (const node of world.names) world.want(node, 1300)
  await world.clock.advance(100)
  world.want('n4', 1290)
  world.faults.push = () => 1
  await world.clock.advance(2_500)
  expect(world.happenings.map((h) => h.type)).toEqual(['push', 'push', 'push', 'push', 'apply', 'push', 'apply'])
  expect(world.agent('n4').applied?.content.interface.mtu).toBe(1290)
})

test('a bundle that cannot be written is refused with its reason, and disturbs no other', async () => {
  const world = await converged()
  world.publisher().want('n2', { ...contentOf(2, 1400), interface: { name: 'ppn0', mtu: 5, listenPort: 1 } })
  world.want('n3', 1300)
  await world.clock.advance(200)
  expect(world.publisher().state('n2')).toMatchObject({ stage: 'Refused', reason: 'BundleInvalid' })
  expect(world.publisher().state('n3').stage).toBe('Applied')
  world.want('n2', 1310)
  await world.clock.advance(20_000)
  expect(world.publisher().state('n2').stage).toBe('Applied')
})

test('a withdrawn node is published to no more', async () => {
  const world = await converged()
  world.faults.push = () => undefined
  world.want('n2', 1300)
  await world.clock.advance(100)
  world.publisher().withdraw('n2')
  const before = world.pushes().length
  await world.clock.advance(600_000)
  expect(world.pushes().length).toBe(before)
  expect(world.publisher().state('n2')).toEqual({ stage: 'None', held: false })
})

test('a change that an authority made just before it died is switched together by the next one', async () => {
  const world = await converged()
  world.faults.report = () => 100
  for (const node of world.names) world.want(node, 1300)
  await world.clock.advance(30)
  world.start({ lastConnected: world.names })
  for (const node of world.names) world.want(node, 1300)
  world.faults.report = () => 1
  await world.clock.advance(50)
  expect(world.applies()).toEqual([])
  for (const node of world.names) {
    expect(world.agent(node).staged?.content.interface.mtu).toBe(1300)
    world.hear(node)
    await world.clock.advance(20)
  }
  expect(world.applies().length).toBe(1)
  expect(world.pushes().length).toBe(3)
  for (const node of world.names) expect(world.publisher().state(node).stage).toBe('Applied')
})

test('after a restore the next revision lies above what a node was seen with', async () => {
  const world = await converged()
  await world.publisher().raiseRevision(41)
  world.want('n2', 1300)
  await world.clock.advance(1000)
  expect(world.pushes()).toMatchObject([{ revision: 42 }])
})

test('a bundle can be given out as a file before the authority serves, and is not pushed again (law 6)', async () => {
  const world = bundleWorld(2)
  world.start()
  world.stop()
  world.want('n2', 1400)
  const sealing = world.publisher().firstBundle('n2')
  await world.clock.advance(10)
  world.agent('n2').receive(await sealing)
  world.want('n3', 1400)
  world.serve()
  world.hear('n2')
  world.hear('n3')
  await world.clock.advance(20_000)
  for (const node of world.names) expect(world.publisher().state(node).stage).toBe('Applied')
  expect(world.pushes().map((p) => [p.node, p.why])).toEqual([
    ['n2', 'First'],
    ['n3', 'Changed'],
  ])
})

test('an authority that stops serving and serves again goes on where it was', async () => {
  const world = await converged()
  world.faults.push = () => undefined
  world.want('n2', 1300)
  await world.clock.advance(100)
  world.stop()
  expect(world.clock.pending()).toBe(0)
  world.want('n3', 1300)
  await world.clock.advance(60_000)
  world.faults.push = () => 1
  world.serve()
  await world.clock.advance(20_000)
  for (const node of ['n2', 'n3']) expect(world.agent(node).applied?.content.interface.mtu).toBe(1300)
})

test('an agent that reads none of our bundle versions is refused, and pushed nothing', async () => {
  const world = await converged()
  const { report } = world.agent('n2')
  world.agent('n2').report = () => ({ ...report(), reads: { bundle: [9], ops: [1] } })
  world.hear('n2')
  world.want('n2', 1300)
  await world.clock.advance(60_000)
  expect(world.publisher().state('n2')).toMatchObject({ stage: 'Refused', reason: 'NoCommonBundleVersion' })
  expect(world.happenings).toEqual([])
})

test('whoever a bundle goes out to is noted, because its term may rise by it', async () => {
  const world = await converged()
  world.raised.clear()
  world.want('n2', 1300)
  await world.clock.advance(100)
  expect([...world.raised]).toEqual(['n2'])
  await world.publisher().firstBundle('n3')
  expect([...world.raised]).toEqual(['n2', 'n3'])
})
