// A document of the operator key at one node: what is obeyed, what is refused, and what is left after a crash.
import { expect, test } from 'vitest'
import { lengthFrame } from '../../base/length-frames.ts'
import { OP } from '../../protocol/command/ops.ts'
import { generateEd25519, toBase64 } from '../../protocol/keys.ts'
import { armorOperatorDocument, type OperatorDocument, sealOperatorDocument } from '../../protocol/operator/document.ts'
import { encodeSyncFrame } from '../../protocol/sync/frame.ts'
import { type AgentBench, agentBench } from '../../testing/agent-bench.ts'
import { aHub } from '../../testing/bundle-fixtures.ts'
import { crashFiles } from '../../testing/crash-files.ts'
import { fakeAuthority } from '../../testing/fake-authority.ts'
import { seededRandom } from '../../testing/seeded-random.ts'
import { importDocument } from './import-document.ts'

const NEW_ADDRESS = '10.8.0.3'
const content = { peers: [aHub(1)] }

/** A node that lives by its bundle, its authority gone for good, and another one with keys of its own. */
async function orphaned() {
  const bench = await agentBench()
  const agent = await bench.enrolled(content)
  bench.wireguard.peer(aHub(1).publicKey, { handshakeAgeSeconds: 0 })
  const { clock, network, authority } = bench
  const next = fakeAuthority({
    clock,
    random: seededRandom('the next authority'),
    transport: network.transport(),
    address: NEW_ADDRESS,
    node: { name: 'edge', address: '10.8.0.7', role: 'spoke', identity: agent.identity },
    ids: authority.ids,
    operator: authority.operator,
  })
  await next.start()
  const replacement = (over: Partial<Extract<OperatorDocument, { type: 'authority' }>> = {}): OperatorDocument => ({
    version: 1,
    type: 'authority',
    meshId: authority.ids.meshId,
    issuedMs: 1,
    term: 100,
    authority: next.content().authorities[0]!,
    ...over,
  })
  const seal = (document: OperatorDocument, secret = authority.operator.secretKey) =>
    sealOperatorDocument(document, secret)
  return { ...bench, agent, next, replacement, seal }
}

async function push({ network, clock }: AgentBench, from: string, bytes: Uint8Array): Promise<void> {
  const { stream } = await network.transport().connect(from, '10.8.0.7', 8092, new AbortController().signal)
  stream.on('error', () => {})
  stream.end(lengthFrame(encodeSyncFrame({ type: 'operator', document: bytes })))
  await clock.advance(1_000)
}

test('a new authority is obeyed on receipt, from an address nobody listed, and the old one no more', async () => {
  const bench = await orphaned()
  const { agent, next, authority, clock, wireguard } = bench
  const changes = wireguard.changes.length
  await push(bench, NEW_ADDRESS, bench.seal(bench.replacement()))
  await clock.advance(5_000)
  expect(next.report()?.bundles.applied?.revision).toBe(1)
  expect(wireguard.changes.length).toBe(changes)

  await authority.push(authority.bundle({ revision: 9, term: 999, switch: 'onReceipt', content: { attempt: 1 } }))
  await authority.send(OP.ISOLATE, { value: 1, term: 101 })
  await clock.advance(1_000)
  expect(agent.report()).toMatchObject({ isolated: false, bundles: { applied: { revision: 1 } } })
  expect(agent.report()?.refusals).toMatchObject({ SyncSource: 1, NotAuthority: 1 })

  await next.send(OP.PING, { term: 101 })
  await next.push(next.bundle({ revision: 1, term: 101, switch: 'onReceipt', content: { ...content, attempt: 1 } }))
  await clock.advance(90_000)
  expect(next.report()?.bundles.applied).toMatchObject({ term: 101, revision: 1 })
  expect(next.report()?.bundles.reverted).toBeUndefined()
  await agent.stop()
})

test('over a restart too, before and after the first bundle of the new authority', async () => {
  const bench = await orphaned()
  const { agent, next, clock, start } = bench
  await push(bench, NEW_ADDRESS, bench.seal(bench.replacement()))
  await agent.stop()
  const second = await start()
  await clock.advance(2_000)
  expect(second.report()).toMatchObject({ bundleLost: false, bundles: { applied: { revision: 1 } } })
  expect(next.report()?.bundles.applied?.revision).toBe(1)
  await next.push(next.bundle({ revision: 1, term: 101, switch: 'onReceipt', content: { ...content, attempt: 1 } }))
  await clock.advance(90_000)
  await second.stop()
  const third = await start()
  await clock.advance(2_000)
  expect(third.report()).toMatchObject({ bundleLost: false, bundles: { applied: { term: 101, revision: 1 } } })
  await third.stop()
})

test.each(Array.from({ length: 6 }, (_, k) => k))(
  'a node that dies after %i writes of it takes it when it is told again',
  async (writes) => {
    const bench = await orphaned()
    await bench.agent.stop()
    const dying = await bench.start(crashFiles(bench.files, writes)).catch(() => undefined)
    await push(bench, NEW_ADDRESS, bench.seal(bench.replacement())).catch(() => undefined)
    await dying?.stop()
    const again = await bench.start()
    await push(bench, NEW_ADDRESS, bench.seal(bench.replacement()))
    await bench.clock.advance(5_000)
    expect(bench.next.report()?.bundles.applied?.revision).toBe(1)
    expect(again.report()?.refusals.OperatorOldTerm).toBeUndefined()
    await again.stop()
  },
)

const thief = generateEd25519(seededRandom('another operator'))

test.each<[string, string, (b: Awaited<ReturnType<typeof orphaned>>) => Uint8Array]>([
  ['signed by another operator key', 'OperatorUnsigned', (b) => b.seal(b.replacement(), thief.secretKey)],
  ['of another mesh', 'OperatorWrongMesh', (b) => b.seal(b.replacement({ meshId: 'f'.repeat(32) }))],
  ['of the node’s own term', 'OperatorOldTerm', (b) => b.seal(b.replacement({ term: 1 }))],
  ['cut short', 'OperatorMalformed', (b) => b.seal(b.replacement()).subarray(0, 65)],
  [
    'of which one bit is another',
    'OperatorUnsigned',
    (b) => b.seal(b.replacement()).map((byte, i) => (i === 200 ? byte ^ 1 : byte)),
  ],
  [
    'an override for another node',
    'OperatorWrongNode',
    (b) =>
      b.seal({
        version: 1,
        type: 'override',
        meshId: b.authority.ids.meshId,
        issuedMs: 1,
        nodeId: 'f'.repeat(32),
        archive: 'a'.repeat(32),
        fencingEpoch: 2,
      }),
  ],
])('a document %s is refused and counted as %s', async (_, reason, bytes) => {
  const bench = await orphaned()
  const pins = await bench.files.read('pins')
  await push(bench, NEW_ADDRESS, bytes(bench))
  expect(bench.agent.report()?.refusals).toEqual({ [reason]: 1 })
  expect(await bench.files.read('pins')).toEqual(pins)
  await bench.authority.send(OP.ISOLATE, { value: 1 })
  await bench.clock.advance(1_000)
  expect(bench.agent.report()?.isolated).toBe(true)
  await bench.agent.stop()
})

test('told again it changes nothing; once there is a newer one it is a replay', async () => {
  const bench = await orphaned()
  const first = bench.seal(bench.replacement())
  const second = bench.seal(bench.replacement({ term: 200 }))
  await push(bench, '10.8.0.9', first)
  await push(bench, '10.8.0.9', first)
  expect(bench.agent.report()?.refusals).toEqual({})
  await push(bench, '10.8.0.9', second)
  await push(bench, '10.8.0.9', first)
  expect(bench.agent.report()?.refusals).toEqual({ OperatorReplayed: 1 })
  await bench.agent.stop()
})

test('the operator key changes by its own word, and what the old one signs is refused from then on', async () => {
  const bench = await orphaned()
  const { authority, agent } = bench
  const { meshId } = authority.ids
  const operatorKey = toBase64(thief.publicKey)
  await push(bench, '10.8.0.1', bench.seal({ version: 1, type: 'operator', meshId, issuedMs: 1, operatorKey }))
  await push(bench, '10.8.0.9', bench.seal(bench.replacement()))
  expect(agent.report()?.refusals).toEqual({ OperatorUnsigned: 1 })
  // Bundles name the key that is pinned.
  const newer = { revision: 2, switch: 'onReceipt' } as const
  await authority.push(authority.bundle({ ...newer, content: { ...content, attempt: 1 } }))
  await authority.push(authority.bundle({ ...newer, content: { ...content, operatorKey } }))
  await bench.clock.advance(1_000)
  expect(agent.report()?.refusals).toEqual({ OperatorUnsigned: 1, WrongOperatorKey: 1 })
  expect(agent.report()?.bundles.applied?.revision).toBe(2)
  await push(bench, '10.8.0.9', bench.seal(bench.replacement(), thief.secretKey))
  await bench.clock.advance(5_000)
  expect(bench.next.report()?.bundles.applied?.revision).toBe(2)
  await agent.stop()
})

test('given as a file it is verified there and then, and the agent takes it', async () => {
  const bench = await orphaned()
  const forged = armorOperatorDocument(bench.seal(bench.replacement(), thief.secretKey))
  await expect(importDocument(bench.files, forged)).rejects.toMatchObject({ code: 'DocumentRefused' })
  await importDocument(bench.files, armorOperatorDocument(bench.seal(bench.replacement())))
  await bench.clock.advance(5_000)
  expect(bench.next.report()?.bundles.applied?.revision).toBe(1)
  await bench.agent.stop()
})

test('what an old authority staged is not switched to by the new one’s APPLY', async () => {
  const bench = await orphaned()
  const { authority, next, agent, clock } = bench
  await authority.push(authority.bundle({ revision: 2, content: { ...content, attempt: 1 } }))
  await clock.advance(1_000)
  expect(agent.report()?.bundles.staged?.revision).toBe(2)
  await push(bench, NEW_ADDRESS, bench.seal(bench.replacement()))
  await next.send(OP.APPLY, { value: 2, term: 101 })
  await clock.advance(5_000)
  expect(agent.report()?.bundles).toMatchObject({ applied: { revision: 1 } })
  expect(agent.report()?.bundles.staged).toBeUndefined()
  await agent.stop()
})
