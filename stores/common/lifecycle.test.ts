import fc from 'fast-check'
import { expect, test } from 'vitest'
import { keyOf } from '../../api/meta.ts'
import { node } from '../../test/conformance/store/documents.ts'
import { draftOrThrow } from './documents.ts'
import { judge } from './lifecycle.ts'
import type { Definition, SourceSnapshot } from './snapshot.ts'
import { born, buried, isTombstone, type Stamp, type StoredObject } from './stored.ts'

const NAMES = ['a', 'b', 'c', 'd']
const FILES = ['1.yaml', '2.yaml']
const stamp: Stamp = { nowMs: 0, resourceVersion: 1, newUid: () => 'uid' }
const key = (name: string) => keyOf('Node', name)
const define = (name: string, isolated: boolean, file: string): Definition => ({
  draft: draftOrThrow(node(name, { isolated })),
  file,
})

const definition = fc
  .tuple(fc.constantFrom(...NAMES), fc.boolean(), fc.constantFrom(...FILES))
  .map(([name, isolated, file]) => define(name, isolated, file))

const row = fc
  .record({ definition, act: fc.boolean(), state: fc.constantFrom('alive', 'tombstone', 'committed') })
  .map(({ definition: { draft, file }, act, state }): StoredObject => {
    const object = born(draft, act ? 'act' : 'source', act ? undefined : file, stamp)
    return state === 'alive' ? object : { ...buried(object, stamp), committed: state === 'committed' }
  })
const stored = fc
  .array(row, { maxLength: 4 })
  .map((rows) => new Map(rows.map((one) => [key(one.object.metadata.name), one])))
const snapshot: fc.Arbitrary<SourceSnapshot> = fc.record({
  definitions: fc.array(definition, { maxLength: 5 }),
  spoilt: fc.array(
    fc.constantFrom(...NAMES).map((name) => ({ key: key(name) })),
    { maxLength: 2 },
  ),
  unread: fc.uniqueArray(fc.constantFrom(...FILES), { maxLength: 1 }),
  problems: fc.constant([]),
})

test('an object goes only from a completely read source that does not name it', () => {
  fc.assert(
    fc.property(stored, snapshot, (rows, source) => {
      for (const change of judge(rows, source).changes) {
        if (change.do !== 'bury') continue
        expect(source.unread).toEqual([])
        expect(source.definitions.map(({ draft }) => draft.key)).not.toContain(change.key)
        expect(source.spoilt.map((spoilt) => spoilt.key)).not.toContain(change.key)
        expect(rows.get(change.key)).toMatchObject({ origin: 'source' })
      }
    }),
  )
})

test('a committed deletion is never taken back, an act never touched, and no object judged twice', () => {
  fc.assert(
    fc.property(stored, snapshot, (rows, source) => {
      const { changes } = judge(rows, source)
      expect(new Set(changes.map((change) => change.key)).size).toBe(changes.length)
      for (const change of changes) {
        const known = rows.get(change.key)
        expect(known?.origin).not.toBe('act')
        if (known?.committed) expect(change.do).toBe('await')
        if (change.do === 'create') expect(known).toBeUndefined()
      }
    }),
  )
})

test('every uncommitted tombstone that the source still names lives again', () => {
  fc.assert(
    fc.property(stored, snapshot, (rows, source) => {
      const { changes } = judge(rows, source)
      const named = new Set([...source.definitions.map(({ draft }) => draft.key), ...source.spoilt.map((s) => s.key)])
      for (const [at, known] of rows) {
        if (known.origin === 'act' || !isTombstone(known) || known.committed || !named.has(at)) continue
        if (known.file && source.unread.includes(known.file)) continue
        expect(changes.find((change) => change.key === at)?.do).toMatch(/update|revive/)
      }
    }),
  )
})

test('judging what was just taken in again changes nothing', () => {
  fc.assert(
    fc.property(fc.uniqueArray(definition, { selector: ({ draft }) => draft.key }), (definitions) => {
      const rows = new Map(definitions.map(({ draft, file }) => [draft.key, born(draft, 'source', file, stamp)]))
      const source: SourceSnapshot = { definitions, spoilt: [], unread: [], problems: [] }
      expect(judge(rows, source)).toEqual({ changes: [], problems: [] })
    }),
  )
})
