import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { StoreEvent } from '../../controllers/ports/store.ts'
import { kubeCache } from './cache.ts'
import { project } from './projection.ts'

interface Options {
  uid?: string
  spec?: object
  finalizers?: string[]
  deleting?: boolean
}

const raw = (name: string, resourceVersion: number, options: Options = {}) => ({
  metadata: {
    name,
    uid: options.uid ?? `uid-${name}`,
    resourceVersion: String(resourceVersion),
    generation: 1,
    creationTimestamp: '2026-01-01T00:00:00Z',
    managedFields: [{ manager: 'kubectl' }],
    annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}', mine: 'yes' },
    ...(options.finalizers && { finalizers: options.finalizers }),
    ...(options.deleting && { deletionTimestamp: '2026-01-02T00:00:00Z' }),
  },
  spec: options.spec ?? { role: 'spoke', site: 'onprem' },
})
const node = (...of: Parameters<typeof raw>) => project('Node', raw(...of))
const lines = (events: StoreEvent[]) => events.map((e) => ('key' in e ? `${e.type} ${e.key}` : e.type))

test('an object is handed out parsed and defaulted, without what only kubectl reads', () => {
  const cache = kubeCache()
  cache.ingest(node('a', 5))
  const object = cache.get('Node/a')
  expect(object?.spec).toMatchObject({ mesh: 'default', isolated: false })
  expect(object?.metadata.annotations).toEqual({ mine: 'yes' })
  expect(JSON.stringify(object)).not.toContain('managedFields')
})

test('what comes twice or late changes nothing', () => {
  const cache = kubeCache()
  expect(lines(cache.ingest(node('a', 5)))).toEqual(['upsert Node/a'])
  expect(cache.ingest(node('a', 5))).toEqual([])
  expect(cache.ingest(node('a', 4, { spec: { role: 'spoke', site: 'cloud' } }))).toEqual([])
  expect(cache.get('Node/a')?.metadata.resourceVersion).toBe('5')
})

test('a change that no reader sees is taken in and not told', () => {
  const cache = kubeCache()
  cache.ingest(node('a', 5))
  expect(cache.ingest(node('a', 6))).toEqual([])
  expect(cache.get('Node/a')?.metadata.resourceVersion).toBe('6')
})

test('another object under the same name: the old one goes, then the new one comes', () => {
  const cache = kubeCache()
  cache.ingest(node('a', 5))
  expect(lines(cache.ingest(node('a', 9, { uid: 'other' })))).toEqual(['removed Node/a', 'upsert Node/a'])
  expect(cache.drop('Node/a', 'uid-a')).toEqual([])
  expect(cache.get('Node/a')?.metadata.uid).toBe('other')
})

test('the write that takes the last finalizer of a tombstone is its end, whatever the watch tells afterwards', () => {
  const cache = kubeCache()
  cache.ingest(node('a', 5, { finalizers: ['f'], deleting: true }))
  expect(lines(cache.ingest(node('a', 8, { deleting: true })))).toEqual(['removed Node/a'])
  expect(cache.ingest(node('a', 7, { finalizers: ['f'], deleting: true }))).toEqual([])
  expect(cache.drop('Node/a', 'uid-a')).toEqual([])
  expect(lines(cache.ingest(node('a', 12, { uid: 'next' })))).toEqual(['upsert Node/a'])
})

test('a list replaces all of a kind, but not what was written after it was made', () => {
  const cache = kubeCache()
  cache.ingest(node('a', 1))
  cache.ingest(node('b', 2))
  cache.ingest(node('ours', 30))
  const events = cache.swap('Node', [node('b', 2), node('c', 9)], 20)
  expect(lines(events)).toEqual(['removed Node/a', 'upsert Node/c'])
  expect(cache.list('Node').map(({ metadata }) => metadata.name)).toEqual(['b', 'c', 'ours'])
})

test('an object that our schema refuses keeps its spec and generation; its end is seen all the same', () => {
  const cache = kubeCache()
  cache.ingest(node('a', 1))
  const bad = { ...raw('a', 2, { spec: { role: 'king', site: 'onprem' } }) }
  bad.metadata.generation = 2
  cache.ingest(project('Node', bad))
  expect(cache.get('Node/a')).toMatchObject({ spec: { role: 'spoke' }, metadata: { generation: 1 } })
  expect(cache.problems()).toMatchObject([{ code: 'InvalidValue', key: 'Node/a' }])
  const dying = raw('a', 3, { spec: { role: 'king', site: 'onprem' }, deleting: true, finalizers: ['f'] })
  cache.ingest(project('Node', dying))
  expect(cache.get('Node/a')?.metadata.deletionTimestamp).toBeDefined()
  cache.drop('Node/a', 'uid-a')
  expect(cache.problems()).toEqual([])
  cache.ingest(project('Node', { ...bad, metadata: { ...bad.metadata, uid: 'new', resourceVersion: '9' } }))
  expect(cache.get('Node/a')).toBeUndefined()
})

test('told in any order and any number of times, the newest state stands', () => {
  const history = [3, 5, 8, 13].map((revision) =>
    node('a', revision, { spec: { role: 'spoke', site: 'onprem', address: `10.8.0.${revision}` } }),
  )
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...history), { minLength: 1 }), (told) => {
      const cache = kubeCache()
      for (const one of told) cache.ingest(one)
      const newest = Math.max(...told.map(({ revision }) => revision))
      expect(cache.get('Node/a')).toMatchObject({ spec: { address: `10.8.0.${newest}` } })
    }),
  )
})
