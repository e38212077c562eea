// A lost or stolen authority replaced by the operator key (section 7.6): the nodes accept, converge, and obey the old
// one no more.
import { afterEach, expect, test } from 'vitest'
import { importDocument } from '../../agent/bundles/import-document.ts'
import { sidecarsIn } from '../../agent/fence/sidecar.ts'
import { loadPins } from '../../agent/keys/pins.ts'
import { addDocument } from '../../authority/keys/documents.ts'
import { makeCard } from '../../authority/keys/fleet-card.ts'
import { OPERATOR_FILE, readKeys, takeOperatorKey } from '../../authority/keys/keys.ts'
import { replaceAuthority } from '../../authority/keys/replace.ts'
import { ed25519PublicKey, fromBase64, generateEd25519, type KeyPair, toBase64 } from '../../protocol/keys.ts'
import { armorOperatorDocument, type OperatorDocument, sealOperatorDocument } from '../../protocol/operator/document.ts'
import { memoryState } from '../../stores/memory/state.ts'
import { memoryFiles } from '../../testing/memory-files.ts'
import { type AuthorityState, type Fleet, seededBytes, startFleet } from './harness.ts'
import { archive, office } from './objects.ts'
import { commandsSince, PORT } from './wire.ts'

let fleet: Fleet
afterEach(() => fleet.stop())

const NODES = ['relay', 'edge-1', 'edge-2']
const report = (node: string) => fleet.nodes.get(node)?.report()
const machines = () =>
  NODES.flatMap(
    (node) =>
      report(node)?.archives.map(({ id, slot, fencingEpoch, lifecycle }) => ({
        node,
        id,
        slot,
        fencingEpoch,
        lifecycle,
      })) ?? [],
  )
const term = () => fleet.authority.world.authority.term()

/** What the person has offline: the secret half, which the first start left in the folder. */
async function operatorOf(state: AuthorityState): Promise<KeyPair> {
  const bytes = await memoryFiles(state.files).sub('keys').read(OPERATOR_FILE)
  const secretKey = fromBase64(Buffer.from(bytes!).toString('utf8').trim(), 32)
  return { secretKey, publicKey: ed25519PublicKey(secretKey) }
}
const cardNow = () => {
  const { keys, registry, allocator, store } = { ...fleet.authority, store: fleet.store }
  return makeCard({
    keys: keys.keys,
    registry,
    addressOf: (node) => allocator.addressOf(store.get('Node', node)!.metadata.uid),
    term: term(),
    revision: fleet.authority.publisher.revision(),
    authorityAddresses: ['10.8.0.1'],
  })
}
const empty = (): AuthorityState => ({ files: new Map(), database: memoryState() })
const replace = (
  state: AuthorityState,
  operator: KeyPair,
  over: Partial<Parameters<typeof replaceAuthority>[0]> = {},
) =>
  replaceAuthority({
    files: memoryFiles(state.files),
    clock: fleet.clock,
    random: seededBytes(99),
    operator,
    term: 10,
    addresses: ['10.8.0.1'],
    ...over,
  })
const refused = (node: string, reason: string) => report(node)?.refusals[reason] ?? 0

test('the authority gone with everything: a new one from the operator key and a fleet card, and nothing starts twice', async () => {
  fleet = await startFleet(office())
  await fleet.untilReady()
  const [ran, card, oldTerm] = [machines(), cardNow(), term()]
  const old = fleet.authorityState()
  fleet.killAuthority()
  await fleet.clock.advance(120_000)

  const state = empty()
  const { document } = await replace(state, await operatorOf(old), { card, term: card.term })
  fleet.replaceAuthorityState(state)
  await fleet.startAuthority()
  const before = fleet.clock.monotonic()
  await fleet.untilReady(180_000)
  const tookMs = fleet.clock.monotonic() - before
  expect(tookMs).toBeLessThan(60_000)
  expect(term()).toBeGreaterThan(document.term)
  expect(term()).toBeGreaterThan(oldTerm)
  expect(machines()).toEqual(ran)
  fleet.declare(archive(1, 'edge-1', { runState: 'Suspended' }))
  await fleet.until(() => report('edge-1')?.archives[0]?.lifecycle === 'Suspended')

  // The old authority is found again, by whoever: nobody obeys, and it learns nothing.
  fleet.killAuthority()
  const marks = NODES.map((node) => report(node)?.marks)
  fleet.replaceAuthorityState(old)
  fleet.declare(archive(1, 'edge-1', { runState: 'Running' }))
  await fleet.startAuthority()
  await fleet.clock.advance(120_000)
  expect(NODES.map((node) => report(node)?.marks)).toEqual(marks)
  expect(report('edge-1')?.archives[0]?.lifecycle).toBe('Suspended')
  expect(NODES.map((node) => fleet.condition('Node', node)?.status)).toEqual(['Unknown', 'Unknown', 'Unknown'])
  for (const node of NODES) expect(refused(node, 'BadTag')).toBeGreaterThan(0)
})

test('its keys stolen, its state at hand: other keys in the same folder, and the thief is shut out', async () => {
  fleet = await startFleet(office())
  await fleet.untilReady()
  const ran = machines()
  fleet.killAuthority()
  const stolen = fleet.authorityState()
  const mine = fleet.authorityState()
  await replace(mine, await operatorOf(mine))
  fleet.replaceAuthorityState(mine)
  await fleet.startAuthority()
  await fleet.untilReady(180_000)
  expect(machines()).toEqual(ran)
  // The registry that the old key signed is read on.
  expect(fleet.authority.registry.list().map(({ node }) => node)).toEqual(['edge-1', 'edge-2', 'relay'])
  await fleet.restartAuthority()
  await fleet.untilReady(60_000)

  fleet.killAuthority()
  const segments = fleet.network.segments.length
  const revisions = NODES.map((node) => report(node)?.bundles.applied)
  fleet.replaceAuthorityState(stolen)
  await fleet.startAuthority()
  await fleet.clock.advance(120_000)
  expect(NODES.map((node) => report(node)?.bundles.applied)).toEqual(revisions)
  expect(fleet.network.segments.slice(segments).filter((s) => s.port === PORT.sync)).toEqual([])
})

test('from another address, and a node that nobody reaches takes the document from a file', async () => {
  fleet = await startFleet(office())
  await fleet.untilReady()
  fleet.killAuthority()
  const mine = fleet.authorityState()
  const edge = cardAddress(mine, 'edge-2')
  const { raw } = await replace(mine, await operatorOf(mine), { addresses: [edge] })
  fleet.declare({
    apiVersion: 'ppn.dev/v1alpha1',
    kind: 'Mesh',
    metadata: { name: 'default' },
    spec: { authorityNodes: ['edge-2'] },
  })
  fleet.replaceAuthorityState(mine)
  // By hand, before the new authority is anywhere.
  const agent = memoryFiles(fleet.nodeFiles('edge-1')).sub('agent')
  const pinned = await loadPins(agent)
  await importDocument(agent, armorOperatorDocument(raw))
  await fleet.clock.advance(5_000)
  expect((await loadPins(agent))?.trusted).not.toEqual(pinned?.trusted)
  await fleet.startAuthority()
  await fleet.untilReady(180_000)
})

test('until a node has been heard it is sent nothing but PING, ISOLATE and SEVER, and the document', async () => {
  fleet = await startFleet(office())
  await fleet.untilReady()
  fleet.killAuthority()
  const mine = fleet.authorityState()
  await replace(mine, await operatorOf(mine))
  fleet.replaceAuthorityState(mine)
  fleet.nodes.get('edge-1')?.cutTelemetry(true)
  const [datagrams, segments] = [fleet.network.datagrams.length, fleet.network.segments.length]
  await fleet.startAuthority()
  await fleet.clock.advance(60_000)
  const to = cardAddress(mine, 'edge-1')
  expect(
    new Set(
      commandsSince(fleet, datagrams)
        .filter((c) => c.to === to)
        .map((c) => c.op),
    ),
  ).toEqual(new Set([1]))
  const pushed = fleet.network.segments
    .slice(segments)
    .filter((s) => s.port === PORT.sync && s.to === to && s.bytes.length > 0)
  expect(new Set(pushed.map((s) => s.bytes[4]))).toEqual(new Set([5]))
})

test('law 12: under the brake the document stays where it is', async () => {
  fleet = await startFleet(office())
  await fleet.untilReady()
  fleet.killAuthority()
  const mine = fleet.authorityState()
  await replace(mine, await operatorOf(mine))
  mine.files.set('brake', Buffer.from('for this test\n'))
  fleet.replaceAuthorityState(mine)
  const segments = fleet.network.segments.length
  await fleet.startAuthority()
  await fleet.clock.advance(60_000)
  expect(fleet.network.segments.slice(segments).filter((s) => s.port === PORT.sync)).toEqual([])
  fleet.files.delete('brake')
  await fleet.untilReady(180_000)
})

test('another operator key makes no authority, and a state that is cut short at any write is done again', async () => {
  fleet = await startFleet(office())
  await fleet.untilReady()
  fleet.killAuthority()
  const mine = fleet.authorityState()
  await expect(replace(mine, generateEd25519(seededBytes(5)))).rejects.toMatchObject({ code: 'OperatorKeyDiffers' })
  const before = await readKeys(memoryFiles(mine.files).sub('keys'))
  for (const term of [10, 11, 12]) await replace(mine, await operatorOf(mine), { term })
  const after = await readKeys(memoryFiles(mine.files).sub('keys'))
  expect(after.meshId).toBe(before.meshId)
  expect(after.formerSigning).toHaveLength(3)
  fleet.replaceAuthorityState(mine)
  await fleet.startAuthority()
  await fleet.untilReady(180_000)
})

test('the operator key is rotated: the nodes take the next one with their bundles, and it alone replaces an authority', async () => {
  fleet = await startFleet(office())
  await fleet.untilReady()
  fleet.killAuthority()
  const mine = fleet.authorityState()
  const folder = memoryFiles(mine.files).sub('keys')
  const [old, next, keys] = [await operatorOf(mine), generateEd25519(seededBytes(6)), await readKeys(folder)]
  const document: OperatorDocument = {
    ...{ version: 1, type: 'operator', meshId: keys.meshId },
    ...{ issuedMs: fleet.clock.now(), operatorKey: toBase64(next.publicKey) },
  }
  await addDocument(folder, sealOperatorDocument(document, old.secretKey), document)
  await takeOperatorKey(folder, keys, next.publicKey)
  fleet.replaceAuthorityState(mine)
  await fleet.startAuthority()
  await fleet.untilReady(180_000)
  for (const node of NODES) expect(report(node)?.refusals.WrongOperatorKey).toBeUndefined()
  await fleet.restartAuthority()
  await fleet.untilReady(60_000)

  fleet.killAuthority()
  const later = fleet.authorityState()
  await expect(replace(later, old)).rejects.toMatchObject({ code: 'OperatorKeyDiffers' })
  await replace(later, next)
  fleet.replaceAuthorityState(later)
  await fleet.startAuthority()
  await fleet.untilReady(180_000)
})

test('law 7: a disk put back by hand starts only with the word of the operator key, and then as any other', async () => {
  fleet = await startFleet(office())
  await fleet.untilReady()
  const node = fleet.nodes.get('edge-1')!
  const agent = memoryFiles(fleet.nodeFiles('edge-1')).sub('agent')
  const { id, fencingEpoch } = report('edge-1')!.archives[0]!
  await node.kill('machine')
  const sidecar = await sidecarsIn(agent).read(id)
  if (!sidecar || sidecar === 'unreadable') throw new Error('no sidecar')
  await sidecarsIn(agent).write({ ...sidecar, fencingEpoch: fencingEpoch + 7 })
  await node.start()
  const mine = () => report('edge-1')?.archives.find((one) => one.id === id)
  await fleet.until(() => mine()?.errorCode === 'FenceRefused', 60_000)
  const operator = await operatorOf(fleet.authorityState())
  const { keys, registry } = fleet.authority
  const document: OperatorDocument = {
    ...{ version: 1, type: 'override', meshId: keys.keys.meshId, issuedMs: fleet.clock.now() },
    ...{ nodeId: registry.of('edge-1')!.nodeId, archive: id, fencingEpoch },
  }
  await importDocument(agent, armorOperatorDocument(sealOperatorDocument(document, operator.secretKey)))
  await fleet.until(() => mine()?.lifecycle === 'Running', 120_000)
  await fleet.untilReady(120_000)
  expect(await sidecarsIn(agent).read(id)).toMatchObject({ fencingEpoch })
})

function cardAddress(state: AuthorityState, node: string): string {
  const record = state.database.records
    .load()
    .find(({ key, value }) => key.startsWith('address/') && (value as { name: string }).name === node)
  return record!.key.slice('address/'.length)
}
