import { expect, test } from 'vitest'
import { ANNOTATION, FINALIZER, type ObjectKey } from '../../api/meta.ts'
import { virtualClock } from '../../testing/virtual-clock.ts'
import type { Holds } from '../common/world.ts'
import { type FakeStore, fakeState, fakeStore } from '../testing/fake-store.ts'
import { HOLD_WINDOW_MS } from './decide.ts'
import { createHolds } from './holds.ts'

function fixture(state = fakeState(), clock = virtualClock()) {
  const store = fakeStore(clock, state)
  const released: ObjectKey[] = []
  const holds = createHolds({ store, clock, released: (key) => released.push(key) })
  return { store, holds, released, state, clock }
}

function pools(store: FakeStore, count: number): void {
  for (let n = 0; n < count; n++) store.put('ResourcePool', `p${n}`, { nodeName: `p${n}` }, { finalizers: [FINALIZER] })
}

const held = async (holds: Holds, store: FakeStore, name: string) =>
  (await holds.isHeld(store.get('ResourcePool', name)!))?.rule

test('tombstones that ask at once see each other', async () => {
  const { store, holds } = fixture()
  pools(store, 6)
  for (const n of [0, 1, 2]) store.bury(`ResourcePool/p${n}`)
  const answers = await Promise.all([0, 1, 2].map((n) => held(holds, store, `p${n}`)))
  expect(answers).toEqual(['ManyAtOnce', 'ManyAtOnce', 'ManyAtOnce'])
  expect(holds.list().map(({ key }) => key)).toEqual(['ResourcePool/p0', 'ResourcePool/p1', 'ResourcePool/p2'])
})

test('a live object is not held', async () => {
  const { store, holds } = fixture()
  pools(store, 1)
  expect(await held(holds, store, 'p0')).toBeUndefined()
})

test('a hold survives a restart and the window', async () => {
  const first = fixture()
  pools(first.store, 1)
  first.store.bury('ResourcePool/p0')
  await held(first.holds, first.store, 'p0')
  await first.clock.advance(2 * HOLD_WINDOW_MS)
  pools(first.store, 0)
  const second = fixture(first.state, first.clock)
  expect(await held(second.holds, second.store, 'p0')).toBe('LastOfKind')
  expect(second.holds.list()).toMatchObject([{ key: 'ResourcePool/p0', since: '2026-01-01T00:00:00Z' }])
})

test('a deletion finished before a restart still counts', async () => {
  const first = fixture()
  pools(first.store, 6)
  for (const n of [0, 1]) {
    first.store.bury(`ResourcePool/p${n}`)
    expect(await held(first.holds, first.store, `p${n}`)).toBeUndefined()
    await first.store.removeFinalizer(`ResourcePool/p${n}`, `uid-p${n}`, FINALIZER)
  }
  const second = fixture(first.state, first.clock)
  second.store.bury('ResourcePool/p2')
  expect(await held(second.holds, second.store, 'p2')).toBe('ManyAtOnce')
})

test('confirming one lets that one go, durably, and wakes it', async () => {
  const { store, holds, released, state, clock } = fixture()
  pools(store, 4)
  for (const n of [0, 1, 2]) store.bury(`ResourcePool/p${n}`)
  await held(holds, store, 'p0')
  expect(await holds.confirm('ResourcePool/p1')).toEqual(['ResourcePool/p1'])
  expect(released).toEqual(['ResourcePool/p1'])
  const after = fixture(state, clock)
  expect(await held(after.holds, after.store, 'p1')).toBeUndefined()
  expect(after.holds.isConfirmed(after.store.get('ResourcePool', 'p1')!)).toBe(true)
  expect(await held(after.holds, after.store, 'p0')).toBe('ManyAtOnce')
})

test('confirming all lets every held one go, asked about before or not', async () => {
  const { store, holds } = fixture()
  pools(store, 4)
  for (const n of [0, 1, 2]) store.bury(`ResourcePool/p${n}`)
  expect(await holds.confirm('all')).toEqual(['ResourcePool/p0', 'ResourcePool/p1', 'ResourcePool/p2'])
  expect(holds.list()).toEqual([])
})

test('confirming what is not being deleted confirms nothing, not even later', async () => {
  const { store, holds } = fixture()
  pools(store, 1)
  expect(await holds.confirm('ResourcePool/p0')).toEqual([])
  store.bury('ResourcePool/p0')
  expect(await held(holds, store, 'p0')).toBe('LastOfKind')
})

test('the annotation confirms only under the object’s own name', async () => {
  const { store, holds } = fixture()
  pools(store, 1)
  const { spec } = store.get('ResourcePool', 'p0')!
  store.put('ResourcePool', 'p0', spec, { annotations: { [ANNOTATION.confirmDelete]: 'yes' } })
  store.bury('ResourcePool/p0')
  expect(await held(holds, store, 'p0')).toBe('LastOfKind')
  store.put('ResourcePool', 'p0', spec, { annotations: { [ANNOTATION.confirmDelete]: 'p0' } })
  expect(await held(holds, store, 'p0')).toBeUndefined()
})

test('an object that came back is forgotten: its next deletion is decided anew', async () => {
  const { store, holds, clock } = fixture()
  pools(store, 1)
  store.bury('ResourcePool/p0')
  await holds.confirm('ResourcePool/p0')
  store.revive('ResourcePool/p0')
  expect(holds.list()).toEqual([])
  await clock.advance(1000)
  store.bury('ResourcePool/p0')
  expect(await held(holds, store, 'p0')).toBe('LastOfKind')
})

test('an act is not held, not even the last one, nor is it listed', async () => {
  const { store, holds } = fixture()
  store.put('Pairing', 'p', { nodeName: 'n', rendezvous: 'A1B2', code: '0123-4567' }, { finalizers: [FINALIZER] })
  store.bury('Pairing/p')
  expect(await holds.isHeld(store.get('Pairing', 'p')!)).toBeUndefined()
  expect(holds.list()).toEqual([])
})
