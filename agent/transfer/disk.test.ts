// A disk goes from one node to another: two agents, each with an authority of its own, on one network.
import { expect, test } from 'vitest'
import { lengthFrame } from '../../base/length-frames.ts'
import { OP, POWER } from '../../protocol/command/ops.ts'
import { chunkHash, chunkList } from '../../protocol/sync/chunk-list.ts'
import { encodeSyncFrame } from '../../protocol/sync/frame.ts'
import { agentBench } from '../../testing/agent-bench.ts'
import { anArchive } from '../../testing/bundle-fixtures.ts'

const MIB = 1024 * 1024
const SOURCE = '10.8.0.7'
const TARGET = '10.8.0.8'
const archive = anArchive({ slot: 1 })
const leaving = { archives: [{ ...archive, remove: 'Retain' as const }] }
const order = { archive: archive.id, toNode: '8'.repeat(32), toAddress: TARGET }
const arriving = (root: string) => ({
  archives: [{ ...archive, fencingEpoch: 2, chunkListRoot: root, receiveFrom: SOURCE }],
})

/** A source that gave its archive up, with a disk of some chunks, and a target that knows nothing of it yet. */
async function pair() {
  const source = await agentBench({ address: SOURCE })
  const target = await agentBench({ address: TARGET, authorityAddress: '10.8.0.2', beside: source })
  const { clock } = source
  const from = await source.enrolled({ archives: [archive] })
  const bytes = Buffer.concat([Buffer.alloc(MIB, 1), Buffer.alloc(MIB, 2), Buffer.from('the rest')])
  for (let i = 0; i < 3; i++)
    await source.drivers.image.writeChunk(archive.id, i, bytes.subarray(i * MIB, (i + 1) * MIB))
  await source.authority.push(
    source.authority.bundle({ revision: 2, switch: 'onReceipt', content: { ...leaving, pushes: [order] } }),
  )
  await clock.advance(2_000)
  const to = await target.enrolled()
  return { source, target, clock, from, to, bytes }
}

test('a given-up disk is pushed to the node ordered, proved, and started there under the new epoch only', async () => {
  const { source, target, clock, from, to, bytes } = await pair()
  const root = source.authority.report()?.releases[0]?.chunkListRoot
  expect(root).toMatch(/^[0-9a-f]{64}$/)
  await target.authority.push(target.authority.bundle({ revision: 2, switch: 'onReceipt', content: arriving(root!) }))
  await clock.advance(500)
  await target.authority.send(OP.POWER, { slot: 1, value: POWER.start })
  await clock.advance(30_000)
  expect(target.authority.report()?.archives).toMatchObject([{ lifecycle: 'Running', fencingEpoch: 2 }])
  const chunks = await Promise.all([0, 1, 2].map((i) => target.drivers.image.readChunk(archive.id, i)))
  expect(Buffer.concat(chunks).equals(bytes)).toBe(true)
  // Law 1: nothing came back on the connection.
  const back = source.network.segments.filter((s) => s.from === TARGET && s.to === SOURCE && s.port === 8092)
  expect(back.reduce((sum, s) => sum + s.bytes.length, 0)).toBe(0)
  await from.stop()
  await to.stop()
})

test('nothing is pushed before the archive is given up, and the target makes no disk of its own', async () => {
  const source = await agentBench({ address: SOURCE })
  const target = await agentBench({ address: TARGET, authorityAddress: '10.8.0.2', beside: source })
  const from = await source.enrolled({ archives: [archive], pushes: [order] })
  const to = await target.enrolled(arriving('c'.repeat(64)))
  await source.clock.advance(30_000)
  expect(source.network.segments.filter((s) => s.from === SOURCE && s.to === TARGET && s.port === 8092)).toEqual([])
  expect(target.authority.report()?.archives).toMatchObject([{ lifecycle: 'Preparing', imageReady: false }])
  expect(await target.drivers.image.list()).toEqual([])
  await from.stop()
  await to.stop()
})

test('a push that is cut goes on from what is held, also after the target restarted', async () => {
  const { source, target, clock, from, to } = await pair()
  const root = source.authority.report()!.releases[0]!.chunkListRoot!
  await from.stop()
  await target.authority.push(target.authority.bundle({ revision: 2, switch: 'onReceipt', content: arriving(root) }))
  await clock.advance(500)
  const hashes = await Promise.all(
    [0, 1, 2].map(async (i) => chunkHash(await source.drivers.image.readChunk(archive.id, i))),
  )
  const list = chunkList(hashes)
  const offer = { archive: archive.id, fencingEpoch: 1, root, sizeBytes: 2 * MIB + 8 }
  const { stream } = await source.network.transport().connect(SOURCE, TARGET, 8092, new AbortController().signal)
  stream.write(lengthFrame(encodeSyncFrame({ type: 'offer', offer })))
  const first = await source.drivers.image.readChunk(archive.id, 0)
  stream.write(lengthFrame(encodeSyncFrame({ type: 'chunk', index: 0, proof: list.proof(0), bytes: first })))
  await clock.advance(100)
  stream.destroy()
  await clock.advance(500)
  expect(target.authority.report()?.archives[0]?.receiving).toEqual({ held: 1, chunks: 3 })
  await to.stop()
  const again = await target.start()
  await clock.advance(1_000)
  const pushes = [{ ...order, fromChunk: 1 }]
  const sender = await source.start()
  await source.authority.push(
    source.authority.bundle({ revision: 3, switch: 'onReceipt', content: { ...leaving, pushes } }),
  )
  await clock.advance(20_000)
  expect(target.authority.report()?.archives).toMatchObject([{ lifecycle: 'Stopped', imageReady: true }])
  await sender.stop()
  await again.stop()
})

test.each<[string, string, (root: string) => { root?: string; from?: string; epoch?: number; chunk?: Uint8Array }]>([
  ['of another root', 'DiskOffer', () => ({ root: 'd'.repeat(64) })],
  ['of an epoch that is not older', 'DiskOffer', () => ({ epoch: 2 })],
  ['from a node that the bundle does not name', 'SyncSource', () => ({ from: '10.8.0.9' })],
  ['with a changed chunk', 'DiskChunk', () => ({ chunk: Buffer.alloc(MIB, 9) })],
])('law 5: a disk %s is discarded as %s', async (_, reason, change) => {
  const target = await agentBench({ address: TARGET })
  const chunk = Buffer.alloc(MIB, 1)
  const list = chunkList([chunkHash(chunk)])
  const agent = await target.enrolled(arriving(list.root))
  const wrong = change(list.root)
  const offer = { archive: archive.id, fencingEpoch: wrong.epoch ?? 1, root: wrong.root ?? list.root, sizeBytes: MIB }
  const dial = target.network.transport().connect(wrong.from ?? SOURCE, TARGET, 8092, new AbortController().signal)
  const { stream } = await dial
  for (const frame of [
    { type: 'offer' as const, offer },
    { type: 'chunk' as const, index: 0, proof: list.proof(0), bytes: wrong.chunk ?? chunk },
    { type: 'end' as const },
  ])
    stream.write(lengthFrame(encodeSyncFrame(frame)))
  await target.clock.advance(2_000)
  expect(agent.report()?.refusals).toEqual({ [reason]: 1 })
  expect(agent.report()?.archives).toMatchObject([{ imageReady: false }])
  await agent.stop()
})

test('a target without room says DiskFull, and takes the disk once there is room', async () => {
  const { source, target, clock, from, to } = await pair()
  target.images.setCapacity(1)
  const root = source.authority.report()!.releases[0]!.chunkListRoot!
  await target.authority.push(target.authority.bundle({ revision: 2, switch: 'onReceipt', content: arriving(root) }))
  await clock.advance(15_000)
  expect(target.authority.report()?.archives).toMatchObject([{ imageReady: false, errorCode: 'DiskFull' }])
  expect(to.report()?.refusals).toHaveProperty('DiskFull')
  target.images.setCapacity(1000)
  await clock.advance(15_000)
  const [report] = target.authority.report()?.archives ?? []
  expect(report).toMatchObject({ imageReady: true, lifecycle: 'Stopped' })
  expect(report).not.toHaveProperty('errorCode')
  await from.stop()
  await to.stop()
})

test('two disks for the same node are pushed one after the other: neither cuts the other', async () => {
  const source = await agentBench({ address: SOURCE })
  const target = await agentBench({ address: TARGET, authorityAddress: '10.8.0.2', beside: source })
  const both = [archive, anArchive({ slot: 2 })]
  const from = await source.enrolled({ archives: both })
  for (const { id } of both)
    for (let i = 0; i < 3; i++) await source.drivers.image.writeChunk(id, i, Buffer.alloc(MIB, i))
  const archives = both.map((a) => ({ ...a, remove: 'Retain' as const }))
  const orders = both.map(({ id }) => ({ archive: id, toNode: order.toNode }))
  const give = (revision: number, pushes: (typeof order)[] | typeof orders) =>
    source.authority.push(
      source.authority.bundle({ revision, switch: 'onReceipt', content: { archives, pushes: [...pushes] } }),
    )
  await give(2, orders)
  await source.clock.advance(3_000)
  const releases = source.authority.report()?.releases ?? []
  const rootOf = (id: string) => releases.find((r) => r.archive === id)?.chunkListRoot as string
  const coming = both.map((a) => ({ ...a, fencingEpoch: 2, chunkListRoot: rootOf(a.id), receiveFrom: SOURCE }))
  const to = await target.enrolled({ archives: coming })
  const standing = orders.map((one) => ({ ...one, toAddress: TARGET }))
  await give(3, standing)
  await source.clock.advance(2_000)
  expect(to.report()?.archives).toMatchObject([{ imageReady: true }, { imageReady: false }])
  // As the authority does once telemetry shows it.
  await give(4, standing.slice(1))
  await source.clock.advance(2_000)
  expect(to.report()?.archives).toMatchObject([{ imageReady: true }, { imageReady: true }])
  expect(to.report()?.refusals).toEqual({})
  await from.stop()
  await to.stop()
})
