import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { AnyObject } from '../../api/v1alpha1/index.ts'
import { uidsOnArrival, withUids } from './uids.ts'

const object = (kind: AnyObject['kind'], name: string, uid: string) =>
  ({ kind, metadata: { name, uid, namespace: kind === 'Archive' ? 'default' : undefined } }) as AnyObject
const OLD = '00112233445566778899aabbccddeeff'
const GIVEN = '0a1b2c3d-1111-4222-8333-944455556666'

test('a fact follows its object: in its key, and wherever its value names it', () => {
  const uids = uidsOnArrival([object('Archive', 'a', OLD)], [object('Archive', 'a', GIVEN)])
  expect(withUids({ key: `hold/Archive/${OLD}`, value: { uid: OLD, key: 'Archive/default/a' } }, uids)).toEqual({
    key: `hold/Archive/${GIVEN}`,
    value: { uid: GIVEN, key: 'Archive/default/a' },
  })
  expect(withUids({ key: 'slot/edge-1/3', value: { placement: { archiveUid: OLD, slot: 3 } } }, uids)).toEqual({
    key: 'slot/edge-1/3',
    value: { placement: { archiveUid: GIVEN, slot: 3 } },
  })
})

test('the uid of an object long gone stays what it was', () => {
  const gone = { key: 'address/10.8.0.9', value: { state: 'Quarantined', uid: 'f'.repeat(32), freedMs: 7 } }
  expect(withUids(gone, new Map([[OLD, GIVEN]]))).toEqual(gone)
})

test('there and back leaves every fact as it was', () => {
  const uid = fc.stringMatching(/^[0-9a-f]{32}$/)
  const value = fc.jsonValue({ maxDepth: 3 })
  fc.assert(
    fc.property(fc.uniqueArray(uid, { minLength: 1, maxLength: 4 }), value, (olds, free) => {
      const there = new Map(olds.map((old, i) => [old, `0a1b2c3d-1111-4222-8333-94445555666${i}`]))
      const back = new Map([...there].map(([old, given]) => [given, old]))
      const fact = { key: `severed/${olds[0]}`, value: { free, named: olds } }
      const moved = withUids(fact, there)
      expect(JSON.stringify(moved)).not.toContain(olds[0])
      expect(withUids(moved, back)).toEqual({ key: fact.key, value: JSON.parse(JSON.stringify(fact.value)) })
    }),
  )
})

test('nothing is moved by half: an object that did not arrive, or a uid that could not be found again, is refused', () => {
  expect(() => uidsOnArrival([object('Node', 'hub', OLD)], [object('Node', 'edge', GIVEN)])).toThrow('did not arrive')
  expect(() => uidsOnArrival([object('Node', 'hub', 'seven')], [object('Node', 'hub', GIVEN)])).toThrow(
    'the uid "seven"',
  )
})
