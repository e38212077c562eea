import { expect, test } from 'vitest'
import { ANNOTATION, FINALIZER, type ObjectMeta } from '../../api/meta.ts'
import { rememberTeardown } from '../common/teardown.ts'
import type { ControllerWorld } from '../common/world.ts'
import { controllerWorld } from '../controller-world.ts'
import { type FakeWorld, fakeWorld } from '../testing/fake-world.ts'
import { archiveEntries, frozenRecord } from './archives.ts'

const NAME = 'cluster-totebox-x-1'
const KEY = `Archive/default/${NAME}`
const UID = `uid-${NAME}`

function declare(fake: FakeWorld, spec: object = {}, meta: Partial<ObjectMeta> = {}): void {
  fake.store.put(
    'Archive',
    NAME,
    {
      nodeName: 'office',
      image: { source: 'file:///img/x.raw', sha256: 'a'.repeat(64), format: 'raw' },
      memory: { floor: '256Mi', max: '512Mi' },
      ...spec,
    },
    { finalizers: [FINALIZER], ...meta },
  )
}

/** One archive placed on `office`. The index is made anew each time, as after a restart. */
async function placed(spec: object = {}): Promise<{ fake: FakeWorld; look(): ControllerWorld }> {
  const fake = fakeWorld()
  declare(fake, spec)
  await fake.allocator.place({ uid: UID, key: KEY, node: 'office', floorMiB: 256, maxMiB: 512 })
  return { fake, look: () => controllerWorld(fake, () => {}).world }
}

const only = (world: ControllerWorld) => archiveEntries(world, 'office', []).entries[0]

test('an entry is the archive’s spec at its place, with the memory that was admitted', async () => {
  const { look } = await placed({ memory: { floor: '1Gi', max: '2Gi' }, cpu: { vcpus: 2 } })
  expect(only(look())).toMatchObject({
    name: NAME,
    namespace: 'default',
    slot: 1,
    floorMiB: 256,
    maxMiB: 512,
    vcpus: 2,
  })
})

test('an archive that was not admitted has no place, and is not in', () => {
  const fake = fakeWorld()
  declare(fake)
  expect(archiveEntries(controllerWorld(fake, () => {}).world, 'office', []).entries).toEqual([])
})

test('a pin that moved leaves the entry where the archive has its place', async () => {
  const { fake, look } = await placed()
  declare(fake, { nodeName: 'elsewhere' })
  expect(only(look())).toMatchObject({ name: NAME })
  expect(archiveEntries(look(), 'elsewhere', []).entries).toEqual([])
})

test('a tombstone is an ordinary entry until its deletion is committed', async () => {
  const { fake, look } = await placed()
  const before = only(look())
  fake.store.bury(KEY)
  expect(only(look())).toEqual(before)
  await rememberTeardown(fake.store.records, UID, KEY, 0)
  expect(only(look())).toEqual({ ...before, remove: 'Retain' })
})

test.each([
  ['Retain', 'Delete', {}],
  ['Retain', 'Retain', { [ANNOTATION.confirmDelete]: NAME }],
  ['Delete', 'Delete', { [ANNOTATION.confirmDelete]: NAME }],
])('the disk meets %s when the spec says %s and the annotations are %j', async (fate, deletionPolicy, annotations) => {
  const { fake, look } = await placed({ deletionPolicy })
  declare(fake, { deletionPolicy }, { annotations })
  fake.store.bury(KEY)
  await rememberTeardown(fake.store.records, UID, KEY, 0)
  expect(only(look())?.remove).toBe(fate)
})

test('`confirm` counts as a person’s word for the disk', async () => {
  const { fake, look } = await placed({ deletionPolicy: 'Delete' })
  fake.store.bury(KEY)
  await rememberTeardown(fake.store.records, UID, KEY, 0)
  const world = look()
  await world.holds.confirm(KEY)
  expect(only(world)?.remove).toBe('Delete')
})

test('an orphan leaves the bundle without `remove`', async () => {
  const { fake, look } = await placed()
  declare(fake, {}, { annotations: { [ANNOTATION.deletion]: 'Orphan' } })
  fake.store.bury(KEY)
  expect(archiveEntries(look(), 'office', []).entries).toEqual([])
})

test('a paused archive stays as published, whatever its spec says, also after a restart', async () => {
  const { fake, look } = await placed()
  const published = only(look())!
  declare(fake, { cpu: { vcpus: 8 } }, { annotations: { [ANNOTATION.paused]: '' } })
  const { entries, freeze } = archiveEntries(look(), 'office', [published])
  expect(entries).toEqual([published])
  expect(freeze).toEqual([{ key: frozenRecord(UID), value: published }])
  await fake.store.records.put(frozenRecord(UID), published, 0)
  expect(archiveEntries(look(), 'office', [])).toEqual({ entries: [published], freeze: [] })
  declare(fake, { cpu: { vcpus: 8 } }, { annotations: {} })
  const after = archiveEntries(look(), 'office', [])
  expect(after.entries).toEqual([{ ...published, vcpus: 8 }])
  expect(after.freeze).toEqual([{ key: frozenRecord(UID), value: undefined }])
})
