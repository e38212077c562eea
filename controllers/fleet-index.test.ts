import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FINALIZER } from '../api/meta.ts'
import { virtualClock } from '../testing/virtual-clock.ts'
import { createFleetIndex } from './fleet-index.ts'
import { fakeStore } from './testing/fake-store.ts'
import { fakeIdentity } from './testing/fake-world.ts'

const NODES = ['a', 'b', 'c']
const archive = (n: number) => `cluster-totebox-x-${n}`

const step = fc.oneof(
  fc.record({ do: fc.constant('node' as const), node: fc.constantFrom(...NODES) }),
  fc.record({ do: fc.constant('drop' as const), key: fc.constantFrom(...NODES.map((name) => `Node/${name}`)) }),
  fc.record({ do: fc.constant('pin' as const), archive: fc.nat(5), node: fc.constantFrom(...NODES) }),
  fc.record({ do: fc.constant('bury' as const), archive: fc.nat(5) }),
)

test('after any history it answers as a scan of the store would', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const store = fakeStore(virtualClock())
      const index = createFleetIndex(store)
      store.subscribe(index.take)
      for (const s of steps) {
        if (s.do === 'node') store.put('Node', s.node, { role: 'spoke', site: 'cloud', identity: fakeIdentity(s.node) })
        if (s.do === 'drop' && store.getByKey(s.key)) store.bury(s.key)
        if (s.do === 'pin')
          store.put(
            'Archive',
            archive(s.archive),
            {
              nodeName: s.node,
              image: { source: 'file:///x', sha256: 'a'.repeat(64), format: 'raw' },
              memory: { floor: '256Mi', max: '256Mi' },
            },
            { finalizers: s.archive % 2 === 0 ? [FINALIZER] : [] },
          )
        const key = s.do === 'bury' ? `Archive/default/${archive(s.archive)}` : ''
        if (s.do === 'bury' && store.getByKey(key)) store.bury(key)
      }
      expect(index.nodes()).toEqual(store.list('Node'))
      for (const node of NODES)
        expect(index.archivesNaming(node)).toEqual(store.list('Archive').filter((a) => a.spec.nodeName === node))
      for (const known of store.list('Archive')) expect(index.archiveByUid(known.metadata.uid)).toBe(known)
    }),
  )
})

test('it knows what was there before it, and starts anew at a sync', () => {
  const store = fakeStore(virtualClock())
  store.put('Node', 'a', { role: 'spoke', site: 'cloud' })
  const index = createFleetIndex(store)
  expect(index.nodes().map((node) => node.metadata.name)).toEqual(['a'])
  store.put('Node', 'b', { role: 'spoke', site: 'cloud' })
  index.take({ type: 'synced' })
  expect(index.nodes().map((node) => node.metadata.name)).toEqual(['a', 'b'])
})
