import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { StoredRecord } from '../../controllers/ports/store.ts'
import type { ArchiveId } from '../../protocol/ids.ts'
import { virtualClock } from '../../testing/virtual-clock.ts'
import { above } from './above.ts'
import { createAllocator } from './allocator.ts'
import type { SeenOnNode } from './slots.ts'
import { memoryRecords } from './testing/memory-records.ts'

function world(facts = new Map<string, StoredRecord>(), first = 0, seen?: SeenOnNode) {
  let made = first
  const random = (n: number) => new Uint8Array(n).fill(++made)
  const records = memoryRecords(facts)
  let sequence = 100
  const allocator = createAllocator({
    records,
    clock: virtualClock(),
    random,
    ceiling: () => ({ term: 3, sequence: sequence++ }),
    seen,
  })
  return { facts, records, allocator }
}

const vault = (n: number, node = 'edge-1') => ({
  uid: `u${n}`,
  key: `Archive/prod/cluster-totebox-a-${n}`,
  node,
  floorMiB: 256,
  maxMiB: 512,
})

async function placed(allocator: ReturnType<typeof world>['allocator'], archive: ReturnType<typeof vault>) {
  const result = await allocator.place(archive)
  if (!result.ok) throw new Error(result.message)
  return result.placement
}

test('an archive gets the lowest free slot of its node, an id, and epoch 1', async () => {
  const { allocator } = world()
  const one = await placed(allocator, vault(1))
  const two = await placed(allocator, vault(2))
  const elsewhere = await placed(allocator, vault(3, 'edge-2'))
  expect([one.slot, two.slot, elsewhere.slot]).toEqual([1, 2, 1])
  expect(new Set([one.id, two.id, elsewhere.id]).size).toBe(3)
  expect(one).toMatchObject({ fencingEpoch: 1, minSequence: { term: 3, sequence: 101 } })
  expect(allocator.placement('u1')).toEqual(one)
  expect(allocator.placementsOn('edge-1')).toEqual([one, two])
})

test('placing again changes only the figures that changed, and writes nothing when none did', async () => {
  const { allocator, records } = world()
  const one = await placed(allocator, vault(1))
  const writes: string[] = []
  records.onWrite((key) => void writes.push(key))
  expect(await placed(allocator, vault(1))).toEqual(one)
  expect(writes).toEqual([])
  expect(await placed(allocator, { ...vault(1), maxMiB: 1024 })).toEqual({ ...one, maxMiB: 1024 })
  expect(writes).toEqual(['slot/edge-1/1'])
})

test('a released slot is given again only after it was freed, and its next holder voids all earlier marks', async () => {
  const { allocator } = world()
  const one = await placed(allocator, vault(1))
  await allocator.releasePlacement('u1')
  expect(allocator.placement('u1')).toBeUndefined()
  expect(allocator.releasedSlots('edge-1')).toEqual([{ slot: 1, archiveUid: 'u1', id: one.id }])
  expect((await placed(allocator, vault(2))).slot).toBe(2)
  await allocator.freeSlot('edge-1', 1)
  const next = await placed(allocator, vault(3))
  expect(next.slot).toBe(1)
  expect(next.minSequence.sequence).toBeGreaterThan(one.minSequence.sequence)
})

test('a slot that is held cannot be freed', async () => {
  const { allocator } = world()
  const one = await placed(allocator, vault(1))
  await allocator.freeSlot('edge-1', 1)
  expect(allocator.placement('u1')).toEqual(one)
})

test('an orphaned archive applied again has its slot, id and marks back, under its new uid', async () => {
  const { allocator } = world()
  const one = await placed(allocator, vault(1))
  await allocator.releasePlacement('u1', { orphaned: true })
  const again = await placed(allocator, { ...vault(1), uid: 'u9' })
  expect(again).toEqual({ ...one, archiveUid: 'u9' })
  expect(allocator.releasedSlots('edge-1')).toEqual([])
})

test('an archive of the same key whose place was never given up is re-adopted as well', async () => {
  const { allocator } = world()
  const one = await placed(allocator, vault(1))
  expect(await placed(allocator, { ...vault(1), uid: 'u9' })).toEqual({ ...one, archiveUid: 'u9' })
  expect(allocator.placement('u1')).toBeUndefined()
})

test('an archive that was removed and declared again is another one', async () => {
  const { allocator } = world()
  const one = await placed(allocator, vault(1))
  await allocator.releasePlacement('u1')
  const again = await placed(allocator, { ...vault(1), uid: 'u9' })
  expect(again.id).not.toBe(one.id)
  expect(again.slot).toBe(2)
})

test('a node has 255 slots', async () => {
  const { allocator } = world()
  for (let n = 1; n <= 255; n++) expect((await placed(allocator, vault(n))).slot).toBe(n)
  expect(await allocator.place(vault(256))).toMatchObject({ ok: false, reason: 'SlotsExhausted' })
})

test('a move keeps the id, takes a slot on the new node and releases the old one', async () => {
  const { allocator } = world()
  const here = await placed(allocator, vault(1))
  const there = await placed(allocator, vault(1, 'edge-2'))
  expect(there).toMatchObject({ id: here.id, node: 'edge-2', slot: 1 })
  expect(allocator.placement('u1')).toEqual(there)
  expect(allocator.placementsOn('edge-1')).toEqual([])
  expect(allocator.releasedSlots('edge-1')).toEqual([{ slot: 1, archiveUid: 'u1', id: here.id }])
})

test('a retained disk is adopted with its id, above the epoch it was given up at, but never by two archives (law 7)', async () => {
  const { allocator } = world()
  const one = await placed(allocator, vault(1))
  await allocator.nextEpoch('u1')
  expect(await allocator.place({ ...vault(2), adoptDisk: one.id })).toMatchObject({ ok: false, reason: 'DiskInUse' })
  await allocator.releasePlacement('u1')
  expect(await allocator.place({ ...vault(2), adoptDisk: one.id })).toMatchObject({ ok: false, reason: 'DiskInUse' })
  await allocator.freeSlot('edge-1', 1)
  const two = await placed(allocator, { ...vault(2), adoptDisk: one.id } as ReturnType<typeof vault>)
  expect(two).toMatchObject({ id: one.id, fencingEpoch: 3 })
})

test('epochs only rise, above whatever telemetry has shown', async () => {
  const { allocator } = world()
  const one = await placed(allocator, vault(1))
  expect(await allocator.nextEpoch('u1')).toBe(2)
  await allocator.observeEpoch(one.id, 9, 'edge-1')
  expect(allocator.placement('u1')?.fencingEpoch).toBe(9)
  await allocator.observeEpoch(one.id, 4, 'edge-1')
  expect(await allocator.nextEpoch('u1')).toBe(10)
})

test('law 7: an epoch seen on another node never becomes that of a placement older than the move', async () => {
  const { allocator } = world()
  const one = await placed(allocator, vault(1))
  await allocator.observeEpoch(one.id, 7, 'edge-9')
  expect(allocator.placement('u1')?.fencingEpoch).toBe(1)
  expect(await allocator.nextEpoch('u1')).toBe(8)
})

test('a crash in the middle of a move is mended by the next try', async () => {
  const { allocator, records, facts } = world()
  await placed(allocator, vault(1))
  let writes = 0
  records.onWrite(() => {
    if (++writes === 2) throw new Error('crash')
  })
  await expect(allocator.place(vault(1, 'edge-2'))).rejects.toThrow('crash')
  const after = world(facts, 50).allocator
  expect(after.placement('u1')).toMatchObject({ node: 'edge-2' })
  expect(after.placementsOn('edge-1')).toEqual([])
  expect(after.releasedSlots('edge-1')).toMatchObject([{ slot: 1, archiveUid: 'u1' }])
  await placed(after, vault(1, 'edge-2'))
  expect(facts.get('slot/edge-1/1')?.value).toMatchObject({ state: 'Released' })
})

test('no slot has two holders, no identity two slots in force and no epoch comes twice, whatever crashes', async () => {
  const op = fc.record({
    writer: fc.integer({ min: 0, max: 1 }),
    archive: fc.integer({ min: 1, max: 4 }),
    node: fc.constantFrom('edge-1', 'edge-2'),
    act: fc.constantFrom('place', 'place', 'release', 'orphan', 'free', 'epoch'),
    slot: fc.integer({ min: 1, max: 4 }),
    crash: fc.option(fc.integer({ min: 0, max: 2 }), { nil: undefined }),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(op, { maxLength: 40 }), async (ops) => {
      const facts = new Map<string, StoredRecord>()
      const writers = [world(facts, 0), world(facts, 100)]
      const given = new Map<string, number>()
      let restarts = 0
      for (const { writer, archive, node, act, slot, crash } of ops) {
        const { allocator, records } = writers[writer] as ReturnType<typeof world>
        let left = crash ?? Number.POSITIVE_INFINITY
        records.onWrite(() => {
          if (left-- <= 0) throw new Error('crash')
        })
        const uid = `u${archive}`
        const run = async () => {
          if (act === 'place') await allocator.place(vault(archive, node))
          else if (act === 'release') await allocator.releasePlacement(uid)
          else if (act === 'orphan') await allocator.releasePlacement(uid, { orphaned: true })
          else if (act === 'free') await allocator.freeSlot(node, slot)
          else {
            const at = allocator.placement(uid)
            if (!at) return
            const epoch = await allocator.nextEpoch(uid)
            expect(epoch).toBeGreaterThan(given.get(at.id) ?? 1)
            given.set(at.id, epoch)
          }
        }
        await run().catch((error) => expect(error.message).toBe('crash'))
        records.onWrite(() => {})
        // The other writer's shortcuts are rebuilt, as a new leader's are.
        restarts += 10
        writers[0] = world(facts, restarts)
        writers[1] = world(facts, 100 + restarts)
      }
      const { allocator } = world(facts, 250)
      const inForce = ['edge-1', 'edge-2'].flatMap((node) => allocator.placementsOn(node))
      expect(new Set(inForce.map((p) => p.id)).size).toBe(inForce.length)
      expect(new Set(inForce.map((p) => p.archiveUid)).size).toBe(inForce.length)
      expect(new Set(inForce.map((p) => `${p.node}/${p.slot}`)).size).toBe(inForce.length)
      for (const p of inForce) expect(allocator.placement(p.archiveUid)).toEqual(p)
    }),
    { numRuns: 200 },
  )
})

test('two writers at once never give one slot twice', async () => {
  const facts = new Map<string, StoredRecord>()
  const writers = [world(facts, 0), world(facts, 100)]
  for (const { records } of writers) records.onWrite(() => Promise.resolve())
  const results = await Promise.all(
    Array.from({ length: 40 }, (_, n) => (writers[n % 2] as ReturnType<typeof world>).allocator.place(vault(n))),
  )
  const slots = results.map((r) => r.ok && r.placement.slot)
  expect(new Set(slots).size).toBe(40)
})

test('a floor above the last sequence of a term is the first of the next one', () => {
  expect(above({ term: 3, sequence: 0xffff_fffe })).toEqual({ term: 3, sequence: 0xffff_ffff })
  expect(above({ term: 3, sequence: 0xffff_ffff })).toEqual({ term: 4, sequence: 0 })
})

test('a slot seen in use is given to nobody, although no record knows it', async () => {
  const running = { id: 'f'.repeat(32) as ArchiveId, slot: 1, namespace: 'prod', name: 'cluster-totebox-b-9' }
  const { allocator } = world(new Map(), 0, () => ({
    unheard: false,
    archives: [{ ...running, unlisted: true, fencingEpoch: 4 }],
  }))
  expect(await placed(allocator, vault(1))).toMatchObject({ slot: 2, fencingEpoch: 1 })
})

test('an archive that runs on its node unrecorded keeps its identity, its slot and its epoch', async () => {
  const running = { id: 'f'.repeat(32) as ArchiveId, slot: 7, namespace: 'prod', name: 'cluster-totebox-a-1' }
  const { allocator } = world(new Map(), 0, () => ({
    unheard: false,
    archives: [{ ...running, unlisted: true, fencingEpoch: 4 }],
  }))
  expect(await placed(allocator, vault(1))).toMatchObject({ id: running.id, slot: 7, fencingEpoch: 4 })
  expect(await placed(allocator, vault(2))).toMatchObject({ slot: 1 })
})

test('on a node not heard since a restore no new slot is given, and who holds one keeps it', async () => {
  const { facts, allocator } = world()
  const held = await placed(allocator, vault(1))
  const restored = world(facts, 50, () => ({ unheard: true, archives: [] })).allocator
  expect(await restored.place(vault(2))).toMatchObject({
    ok: false,
    reason: 'RestoreUnheard',
    message: expect.stringContaining('not been heard'),
  })
  expect(await placed(restored, vault(1))).toEqual(held)
})

test('a place taken over keeps identity and memory, releases the old slot, and gives no lower epoch again', async () => {
  const { facts, allocator } = world()
  const before = await placed(allocator, vault(1))
  const found = { node: 'edge-2', slot: 7, fencingEpoch: 4 }
  await allocator.takeOver('u1', found)
  const after = allocator.placement('u1')
  expect(after).toMatchObject({ ...found, id: before.id, floorMiB: 256, maxMiB: 512, admittedMs: before.admittedMs })
  expect(after?.minSequence).not.toEqual(before.minSequence)
  expect(allocator.placementsOn('edge-1')).toEqual([])
  expect(allocator.releasedSlots('edge-1')).toEqual([{ slot: 1, archiveUid: 'u1', id: before.id }])
  const records = [...facts.values()].map(({ version }) => version)
  await allocator.takeOver('u1', found)
  expect([...facts.values()].map(({ version }) => version)).toEqual(records)
  expect(await allocator.nextEpoch('u1')).toBe(5)
})

test('a slot that another archive has is not taken over', async () => {
  const { allocator } = world()
  await placed(allocator, vault(1))
  const other = await placed(allocator, vault(2, 'edge-2'))
  await expect(allocator.takeOver('u1', { node: 'edge-2', slot: other.slot, fencingEpoch: 4 })).rejects.toMatchObject({
    code: 'Conflict',
  })
  expect(allocator.placement('u2')).toEqual(other)
  expect(allocator.placement('u1')?.node).toBe('edge-1')
})
