// What was lost comes back by itself (section 7.6), and an authority that is not the newest does nothing.
import { afterEach, describe, expect, test } from 'vitest'
import { createBackup, restoreBackup } from '../../authority/backup/snapshot.ts'
import { OP } from '../../protocol/command/ops.ts'
import { memoryState } from '../../stores/memory/state.ts'
import { memoryFiles } from '../../testing/memory-files.ts'
import { type AuthorityState, type Fleet, seededBytes, startFleet } from './harness.ts'
import { archive, hub, office, pool, spoke } from './objects.ts'
import { addressOf, commandsSince, PORT } from './wire.ts'

let fleet: Fleet
afterEach(() => fleet.stop())

const PASSPHRASE = 'for this test alone'
const WEEK_MS = 7 * 24 * 3600 * 1000
const NODES = ['relay', 'edge-1', 'edge-2']

/** The database as bytes: in memory there is no file to copy. */
const dump = ({ database }: AuthorityState) =>
  Buffer.from(
    JSON.stringify({
      objects: database.objects.load(),
      resourceVersion: database.objects.resourceVersion(),
      records: database.records.load(),
      version: database.records.version(),
    }),
  )
function undump(bytes: Uint8Array) {
  const { objects, resourceVersion, records, version } = JSON.parse(Buffer.from(bytes).toString())
  const database = memoryState()
  database.objects.write(objects, [], resourceVersion, true)
  database.records.write(records, [], version)
  return database
}
const backup = () =>
  createBackup({
    files: memoryFiles(fleet.authorityState().files),
    database: async () => dump(fleet.authorityState()),
    passphrase: PASSPHRASE,
    clock: fleet.clock,
    random: seededBytes(7),
    cost: { n: 2 ** 4, r: 8, p: 1 },
  })
async function restored(bytes: Uint8Array): Promise<AuthorityState> {
  const files = new Map<string, Uint8Array>()
  await restoreBackup({ files: memoryFiles(files), backup: bytes, passphrase: PASSPHRASE, clock: fleet.clock })
  const database = undump(files.get('ppn.db') as Uint8Array)
  files.delete('ppn.db')
  return { files, database }
}
const term = () => fleet.authority.world.authority.term()
/** The term of the latest PING that the node obeyed. */
const pinged = (node: string) => report(node)?.marks.find((mark) => mark.op === OP.PING)?.term
const report = (node: string) => fleet.nodes.get(node)?.report()

test('a node that missed 1,000 starts of the authority comes back by itself', async () => {
  fleet = await startFleet(office())
  await fleet.untilReady()
  fleet.killAuthority()
  const state = fleet.authorityState()
  const records = state.database.records
    .load()
    .map((r) => (r.key === 'term' ? { ...r, value: Number(r.value) + 1_000 } : r))
  state.database.records.write(records, [], state.database.records.version())
  fleet.replaceAuthorityState(state)
  await fleet.startAuthority()
  await fleet.untilReady()
  expect(term()).toBe(1_002)
  for (const node of NODES) expect(pinged(node)).toBe(1_002)
  fleet.declare(archive(1, 'edge-1', { runState: 'Suspended' }))
  await fleet.until(() => report('edge-1')?.archives[0]?.lifecycle === 'Suspended')
})

test('lost marks are reported, commands refused, and an onReceipt bundle mends it', async () => {
  fleet = await startFleet(office())
  await fleet.untilReady()
  const node = fleet.nodes.get('edge-1')
  await node?.kill()
  fleet.nodeFiles('edge-1').delete('agent/marks')
  await node?.start()
  expect(report('edge-1')?.marksLost).toBe(true)
  const segments = fleet.network.segments.length
  await fleet.until(() => report('edge-1')?.marksLost === false)
  await fleet.untilReady()
  const told = fleet.network.segments.slice(segments).filter((s) => s.port === PORT.sync && s.bytes.length > 0)
  expect(new Set(told.map((s) => s.to))).toEqual(new Set([addressOf(fleet, 'edge-1')]))
  expect(report('edge-1')?.archives.map((a) => a.lifecycle)).toEqual(['Running', 'Suspended'])
  fleet.declare(archive(1, 'edge-1', { runState: 'Archived' }))
  await fleet.until(() => report('edge-1')?.archives[0]?.lifecycle === 'Stopped')
})

test('a corrupt bundle file is set aside, reported, and replaced by an onReceipt bundle', async () => {
  fleet = await startFleet(office())
  await fleet.untilReady()
  const node = fleet.nodes.get('edge-1')
  await node?.kill()
  const files = fleet.nodeFiles('edge-1')
  const [name, bytes] = [...files].find(([path]) => path.endsWith('/applied')) as [string, Uint8Array]
  files.set(
    name,
    bytes.map((b, i) => (i === 200 ? b ^ 1 : b)),
  )
  await node?.start()
  expect(report('edge-1')?.bundleLost).toBe(true)
  await fleet.until(() => report('edge-1')?.bundleLost === false)
  await fleet.untilReady()
  expect([...files.keys()].some((path) => path.includes('applied.corrupt-'))).toBe(true)
  expect(report('edge-1')?.archives.map((a) => a.lifecycle)).toEqual(['Running', 'Suspended'])
})

test('an authority started from an old copy of its state is Superseded, and nothing of it acts', async () => {
  fleet = await startFleet(office())
  await fleet.untilReady()
  await fleet.clock.advance(5_000)
  const old = fleet.authorityState()
  for (let i = 0; i < 2; i++) {
    await fleet.restartAuthority()
    await fleet.clock.advance(10_000)
  }
  fleet.declare(archive(1, 'edge-1', { runState: 'Suspended' }))
  await fleet.untilReady()
  fleet.killAuthority()
  const marks = NODES.map((node) => report(node)?.marks)
  await fleet.clock.advance(60_000)
  const [datagrams, segments] = [fleet.network.datagrams.length, fleet.network.segments.length]
  fleet.replaceAuthorityState(old)
  fleet.declare(archive(1, 'edge-1'), archive(9, 'edge-1'))
  await fleet.startAuthority()
  await fleet.clock.advance(5 * 60_000)
  expect(commandsSince(fleet, datagrams)).toEqual([])
  expect(fleet.network.segments.slice(segments).filter((s) => s.port === PORT.sync)).toEqual([])
  expect(NODES.map((node) => report(node)?.marks)).toEqual(marks)
  expect(fleet.authority.world.fleet.superseded()).toBe(true)
  expect(fleet.condition('Node', 'relay')).toEqual({ status: 'Unknown', reason: 'Superseded' })
  expect(report('edge-1')?.archives[0]?.lifecycle).toBe('Suspended')
})

test('a week-old backup restored: nothing is deleted, no counter falls, and all converges', async () => {
  fleet = await startFleet(office())
  await fleet.untilReady()
  const bytes = await backup()

  // The week: two more reigns, other revisions, an archive the backup has never heard of.
  await fleet.restartAuthority()
  await fleet.untilReady()
  fleet.declare(archive(4, 'edge-2'), archive(1, 'edge-1', { runState: 'Suspended' }), pool('edge-2'))
  await fleet.untilReady()
  await fleet.restartAuthority()
  await fleet.untilReady()
  fleet.clock.jump(WEEK_MS)
  await fleet.clock.advance(60_000)
  await fleet.untilReady()
  const before = { term: term(), revision: fleet.authority.publisher.revision() }
  const machines = () =>
    NODES.flatMap((node) => report(node)?.archives.map((a) => ({ node, id: a.id, epoch: a.fencingEpoch })) ?? [])
  const ran = machines()

  fleet.killAuthority()
  fleet.nodes.get('edge-2')?.cutTelemetry(true)
  fleet.replaceAuthorityState(await restored(bytes))
  const datagrams = fleet.network.datagrams.length
  await fleet.startAuthority()
  await fleet.clock.advance(30_000)
  const unheard = new Set(
    commandsSince(fleet, datagrams)
      .filter((c) => c.to === addressOf(fleet, 'edge-2'))
      .map((c) => c.op),
  )
  expect([...unheard].filter((op) => op !== OP.PING && op !== OP.ISOLATE && op !== OP.SEVER)).toEqual([])
  // The others are not waited for.
  for (const node of ['relay', 'edge-1']) expect(fleet.condition('Node', node)?.status).toBe('True')
  expect(term()).toBeGreaterThan(before.term)

  fleet.nodes.get('edge-2')?.cutTelemetry(false)
  await fleet.untilReady(300_000)
  expect(term()).toBeGreaterThan(before.term)
  expect(fleet.authority.publisher.revision()).toBeGreaterThanOrEqual(before.revision)
  const now = machines()
  for (const { node, id, epoch } of ran) {
    const same = now.find((m) => m.id === id)
    expect(same, `${id} on ${node}`).toBeDefined()
    expect(same?.epoch).toBeGreaterThanOrEqual(epoch)
  }
})

describe('law 7: a backup older than a move', () => {
  const NAME = 'cluster-totebox-test-1'
  const movable = { relocation: 'OnPinChange' }
  const running = () => NODES.filter((node) => report(node)?.archives.some((a) => a.lifecycle === 'Running'))
  const placement = () => {
    const uid = fleet.object('Archive', NAME, 'default')?.metadata.uid as string
    return fleet.authority.allocator.placement(uid)
  }
  /** Backed up on edge-1, then moved to edge-2. */
  const moved = async () => {
    fleet = await startFleet([hub('relay'), spoke('edge-1'), spoke('edge-2'), archive(1, 'edge-1', movable)])
    await fleet.untilReady()
    const bytes = await backup()
    fleet.declare(archive(1, 'edge-2', movable))
    await fleet.untilReady(300_000)
    expect(running()).toEqual(['edge-2'])
    return bytes
  }
  const restoreWith = async (bytes: Uint8Array, ...source: unknown[]) => {
    fleet.killAuthority()
    fleet.declare(...source)
    fleet.replaceAuthorityState(await restored(bytes))
    await fleet.startAuthority()
  }
  /** Never two machines, and the one there is goes on without a break. */
  const watchFor = async (seconds: number) => {
    for (let s = 0; s < seconds; s++) {
      await fleet.clock.advance(1_000)
      expect(running()).toEqual(['edge-2'])
    }
  }

  test('takes the new place over from telemetry, and the machine runs on', async () => {
    const bytes = await moved()
    const before = report('edge-2')?.archives[0]
    await restoreWith(bytes, archive(1, 'edge-2', movable))
    await watchFor(60)
    await fleet.untilReady()
    expect(placement()).toMatchObject({ node: 'edge-2', slot: before?.slot, fencingEpoch: before?.fencingEpoch })
    expect(fleet.events).toContainEqual(expect.objectContaining({ reason: 'FoundElsewhere' }))
    expect(report('edge-2')?.archives[0]).toMatchObject({ unlisted: false, restarts: 0, id: before?.id })
  })

  test('with files as old as itself leaves the archive where it is, and says so', async () => {
    await restoreWith(await moved(), archive(1, 'edge-1'))
    await watchFor(120)
    expect(placement()?.node).toBe('edge-2')
    expect(fleet.condition('Archive', NAME)).toEqual({ status: 'False', reason: 'RelocationNever' })
    fleet.declare(archive(1, 'edge-2'))
    await fleet.untilReady()
  })

  test('without the word of the old node takes nothing over: nothing is known but one node’s claim', async () => {
    const bytes = await moved()
    await fleet.nodes.get('edge-1')?.kill()
    await restoreWith(bytes, archive(1, 'edge-2', movable))
    await watchFor(120)
    expect(placement()?.node).toBe('edge-1')
    await fleet.nodes.get('edge-1')?.start()
    await fleet.untilReady()
    expect(placement()?.node).toBe('edge-2')
    expect(running()).toEqual(['edge-2'])
  })
})

test('the hub and two spokes with nothing but a source: emptied keys start nothing in their place', async () => {
  fleet = await startFleet([hub('relay'), spoke('edge-1')])
  await fleet.untilReady()
  fleet.killAuthority()
  const state = fleet.authorityState()
  for (const path of [...state.files.keys()]) if (path.startsWith('keys/')) state.files.delete(path)
  fleet.replaceAuthorityState(state)
  await expect(fleet.startAuthority()).rejects.toMatchObject({ code: 'KeysMissing' })
})
