import { expect, test } from 'vitest'
import { node } from '../../test/conformance/store/documents.ts'
import { virtualClock } from '../../testing/virtual-clock.ts'
import { memoryState } from './state.ts'
import { memoryStore } from './store.ts'

const started = async (state = memoryState()) => {
  const store = memoryStore({ clock: virtualClock(), state })
  const stop = new AbortController()
  await store.start(stop.signal)
  return { store, state, stop }
}

test('objects are applied and withdrawn one by one', async () => {
  const { store } = await started()
  store.apply(node('edge-1'), node('edge-2'))
  store.apply(node('edge-1', { isolated: true }))
  expect(store.get('Node', 'edge-1')).toMatchObject({ spec: { isolated: true }, metadata: { generation: 2 } })
  store.withdraw('Node', 'edge-1')
  store.withdraw('Node/edge-2')
  expect(store.list('Node')).toEqual([])
})

test('a bad object is thrown back at the program that applies it', async () => {
  const { store } = await started()
  expect(() => store.apply(node('edge-1', { role: 'king' }))).toThrow(
    expect.objectContaining({ code: 'InvalidObject' }),
  )
  expect(store.list('Node')).toEqual([])
})

test('a fact that could not be made durable is no fact', async () => {
  const { store, state } = await started()
  state.failWrites(new Error('disk full'))
  await expect(store.records.put('term', 1, 0)).rejects.toThrow('disk full')
  expect(store.records.get('term')).toBeUndefined()
  state.failWrites(undefined)
  expect((await store.records.put('term', 1, 0)).value).toBe(1)
})

test('a finalizer is in force only when it is durable; what failed is written with the next change', async () => {
  const { store, state } = await started()
  store.apply(node('edge-1'))
  const { uid } = store.get('Node', 'edge-1')!.metadata
  state.failWrites(new Error('disk full'))
  await expect(store.addFinalizer('Node/edge-1', uid, 'f')).rejects.toThrow('disk full')
  state.failWrites(undefined)
  await store.addFinalizer('Node/edge-1', uid, 'g')
  expect(state.objects.load()[0]?.object.metadata.finalizers).toEqual(['f', 'g'])
})

test('writes of one turn share one transaction', async () => {
  const state = memoryState()
  const sizes: number[] = []
  const { write } = state.records
  state.records.write = (rows, gone, version) => {
    sizes.push(rows.length + gone.length)
    write(rows, gone, version)
  }
  const { store } = await started(state)
  await Promise.all(Array.from({ length: 100 }, (_, i) => store.records.put(`slot/${i}`, i, 0)))
  expect(sizes).toEqual([100])
})

test('after its signal a store takes nothing in', async () => {
  const { store, stop } = await started()
  stop.abort()
  store.apply(node('edge-1'))
  expect(store.list('Node')).toEqual([])
})
