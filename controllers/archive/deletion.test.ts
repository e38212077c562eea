// Every sentence of DESIGN "Deletion" about an Archive, and law 3.
import { expect, test } from 'vitest'
import { ANNOTATION } from '../../api/meta.ts'
import type { MiB } from '../../protocol/ids.ts'
import { KEY, NAME, NODE, runningFleet, SPEC, STARTED, UID } from '../testing/archive-fleet.ts'

const gone = (fleet: Awaited<ReturnType<typeof runningFleet>>) => fleet.status() === undefined
const CONFIRM = { [ANNOTATION.confirmDelete]: NAME }

test('stop ladder, disk by policy, done when telemetry shows it stopped and removed', async () => {
  const fleet = await runningFleet()
  await fleet.remove()
  expect(fleet.fake.store.isCommitted(UID)).toBe(true)
  expect(fleet.entry()).toMatchObject({ remove: 'Retain' })
  expect(fleet.status()?.phase).toBe('Deleting')
  expect(fleet.condition('Deleting')).toBe('True Stopping')
  expect(fleet.wanted()).toEqual([])
  await fleet.applied({ lifecycle: 'Stopping' }, STARTED)
  expect(fleet.condition('Ready')).toBe('False Stopping')
  await fleet.heard({ lifecycle: 'Stopped' }, STARTED)
  expect(fleet.condition('Ready')).toBe('False Removing')
  await fleet.heard({ lifecycle: 'Removed' }, STARTED)
  expect(gone(fleet)).toBe(true)
})

test('done as well when the node that runs the bundle with remove reports nothing of it any more', async () => {
  const fleet = await runningFleet()
  await fleet.remove()
  await fleet.applied('gone')
  expect(gone(fleet)).toBe(true)
})

test('absence without that bundle applied proves nothing (law 3)', async () => {
  const fleet = await runningFleet()
  await fleet.remove()
  fleet.fake.fleet.hear(NODE, { archives: [] })
  await fleet.settle()
  expect(gone(fleet)).toBe(false)
})

test('the slot is not free before telemetry shows a bundle without it applied', async () => {
  const fleet = await runningFleet()
  await fleet.remove()
  await fleet.applied('gone')
  expect(fleet.entry()).toBeUndefined()
  expect(fleet.fake.allocator.releasedSlots(NODE)).toMatchObject([{ slot: 1, archiveUid: UID }])
  await fleet.applied('gone')
  expect(fleet.fake.allocator.releasedSlots(NODE)).toEqual([])
})

test('an unreachable node is waited for, however long', async () => {
  const fleet = await runningFleet()
  fleet.fake.fleet.set({ ...fleet.fake.fleet.view(NODE), liveness: 'Stale' })
  await fleet.remove()
  expect(fleet.condition('Deleting')).toBe('True NodeUnreachable')
  await fleet.fake.clock.advance(86_400_000)
  fleet.elapse()
  await fleet.settle()
  expect(gone(fleet)).toBe(false)
  await fleet.applied('gone')
  expect(gone(fleet)).toBe(true)
})

test('a disk goes only when spec and confirmation both say so; otherwise it is retained, and it is said how', async () => {
  const fleet = await runningFleet()
  await fleet.spec({ deletionPolicy: 'Delete' })
  await fleet.remove()
  expect(fleet.entry()).toMatchObject({ remove: 'Retain' })
  const deleting = fleet.status()?.conditions.find((c) => c.type === 'Deleting')
  expect(deleting?.message).toContain(`ppn.dev/confirm-delete: ${NAME}`)
  expect(fleet.fake.recorded).toContainEqual(
    expect.objectContaining({ object: KEY, type: 'Warning', reason: 'DiskRetained' }),
  )
})

test('with both, it is deleted', async () => {
  const fleet = await runningFleet()
  await fleet.spec({ deletionPolicy: 'Delete' })
  await fleet.remove(CONFIRM)
  expect(fleet.entry()).toMatchObject({ remove: 'Delete' })
  expect(fleet.fake.recorded.map((e) => e.reason)).not.toContain('DiskRetained')
})

test('a confirmation alone deletes no disk', async () => {
  const fleet = await runningFleet()
  await fleet.remove(CONFIRM)
  expect(fleet.entry()).toMatchObject({ remove: 'Retain' })
})

test('Orphan touches no machine: the object goes at once, the entry leaves without remove, the slot stays taken', async () => {
  const fleet = await runningFleet()
  const before = fleet.fake.bundles.published.length
  await fleet.remove({ [ANNOTATION.deletion]: 'Orphan' })
  expect(gone(fleet)).toBe(true)
  expect(fleet.entry()).toBeUndefined()
  const since = fleet.fake.bundles.published.slice(before).flatMap((p) => p.content.archives)
  expect(since.every((a) => a.remove === undefined)).toBe(true)
  expect(fleet.wanted()).toEqual([])
  expect(fleet.fake.allocator.releasedSlots(NODE)).toMatchObject([{ slot: 1 }])
  await fleet.applied({ unlisted: true }, STARTED)
  expect(fleet.fake.allocator.releasedSlots(NODE)).toMatchObject([{ slot: 1 }])
})

test('an orphan that runs on keeps its memory, and the same name applied again has it back without asking for room', async () => {
  const fleet = await runningFleet()
  const { store, allocator } = fleet.fake
  const spec = { ...SPEC, memory: { floor: '7Gi', max: '7Gi' } }
  await fleet.spec({ memory: spec.memory })
  await fleet.applied({ memoryActualMiB: 7168 as MiB }, STARTED)
  await fleet.remove({ [ANNOTATION.deletion]: 'Orphan' })
  await fleet.applied({ memoryActualMiB: 7168 as MiB, unlisted: true }, STARTED)
  const rival = 'gateway-orchestration-rival-1'
  store.put('Archive', rival, { ...spec, memory: { floor: '1Gi', max: '1Gi' } }, { namespace: 'vault' })
  await fleet.settle()
  expect(store.get('Archive', rival, 'vault')?.status?.conditions[0]?.reason).toBe('MemoryFloor')
  store.put('Archive', NAME, spec, { namespace: 'vault', uid: 'uid-again' })
  await fleet.settle()
  expect(allocator.placement('uid-again')).toMatchObject({ archiveKey: KEY, floorMiB: 7168 })
  expect(store.get('Archive', rival, 'vault')?.status?.conditions[0]?.reason).toBe('MemoryFloor')
})

test('an orphan of an unheard node goes at once too', async () => {
  const fleet = await runningFleet()
  fleet.fake.fleet.set({ ...fleet.fake.fleet.view(NODE), liveness: 'Stale' })
  await fleet.remove({ [ANNOTATION.deletion]: 'Orphan' })
  expect(gone(fleet)).toBe(true)
})

test('a held deletion changes nothing until a person confirms: it runs on as declared', async () => {
  const fleet = await runningFleet()
  for (const n of [2, 3, 4]) fleet.fake.store.bury(`Archive/vault/gateway-orchestration-mail-${n}`)
  await fleet.remove()
  expect(fleet.condition('Ready')).toBe('False DeletionHeld')
  expect(fleet.condition('Stalled')).toBe('True DeletionHeld')
  expect(fleet.condition('Deleting')).toBe('False DeletionHeld')
  expect(fleet.condition('Running')).toBe('True Running')
  expect(fleet.fake.store.isCommitted(UID)).toBe(false)
  expect(fleet.entry()?.remove).toBeUndefined()
  expect(fleet.status()?.phase).toBe('Running')
  await fleet.world.holds.confirm(KEY)
  await fleet.settle()
  expect(fleet.entry()).toMatchObject({ remove: 'Retain' })
})

test('a file that returns while the deletion is held cancels it without a trace', async () => {
  const fleet = await runningFleet()
  for (const n of [2, 3, 4]) fleet.fake.store.bury(`Archive/vault/gateway-orchestration-mail-${n}`)
  await fleet.remove()
  fleet.fake.store.revive(KEY)
  await fleet.settle()
  expect(fleet.condition('Ready')).toBe('True Running')
  expect(fleet.condition('Deleting')).toBeUndefined()
  expect(fleet.entry()?.remove).toBeUndefined()
})

test('one that was never placed goes at once', async () => {
  const fleet = await runningFleet()
  const name = 'gateway-orchestration-lost-1'
  fleet.fake.store.put(
    'Archive',
    name,
    { ...fleet.fake.store.get('Archive', NAME, 'vault')?.spec, nodeName: 'nowhere' },
    {
      namespace: 'vault',
    },
  )
  await fleet.settle()
  expect(fleet.fake.store.get('Archive', name, 'vault')?.status?.conditions[0]?.reason).toBe('NodeNotFound')
  fleet.fake.store.bury(`Archive/vault/${name}`)
  await fleet.settle()
  expect(fleet.fake.store.get('Archive', name, 'vault')).toBeUndefined()
})
