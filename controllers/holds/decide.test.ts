import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Deletion, decideHolds, HOLD_WINDOW_MS, type Present } from './decide.ts'

const NOW = 100 * HOLD_WINDOW_MS
const MINUTE = 60_000

function live(n: number, createdMs = 0): Present {
  return { key: `Node/n${n}`, uid: `u${n}`, createdMs, begun: false, confirmed: false }
}
const tombstone = (n: number, agoMs = 0): Present => ({ ...live(n), deletedMs: NOW - agoMs })
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)
const finished = (n: number, agoMs: number): Deletion => ({
  key: `Node/n${n}`,
  uid: `u${n}`,
  kind: 'Node',
  createdMs: 0,
  deletedMs: NOW - agoMs,
  state: 'free',
})
/** Which of them are held, by number. */
const held = (deletions: readonly Deletion[]) => deletions.filter((d) => d.state === 'held').map((d) => d.uid)
const decide = (present: readonly Present[], earlier: readonly Deletion[] = []) =>
  decideHolds('Node', present, earlier, NOW)

describe('law 3', () => {
  test('one of many goes', () => {
    expect(held(decide([...range(0, 9).map((n) => live(n)), tombstone(9)]))).toEqual([])
  })

  test('two of three go: fewer than 3 are not many', () => {
    expect(held(decide([live(0), tombstone(1), tombstone(2)]))).toEqual([])
  })

  test('three of ten are exactly 30 % and go; four are held, all of them', () => {
    expect(held(decide([...range(0, 7).map((n) => live(n)), ...range(7, 10).map((n) => tombstone(n))]))).toEqual([])
    const four = decide([...range(0, 6).map((n) => live(n)), ...range(6, 10).map((n) => tombstone(n))])
    expect(held(four)).toEqual(['u6', 'u7', 'u8', 'u9'])
    expect(four[0]?.message).toBe('4 of 10 objects of kind Node would go within 10 minutes')
  })

  test('the last of a kind is held, be it the only one', () => {
    expect(decide([tombstone(0)])).toMatchObject([
      { state: 'held', rule: 'LastOfKind', message: 'no Node would be left' },
    ])
  })

  test('deletions spread over the window add up, finished ones too', () => {
    const earlier = [finished(20, 9 * MINUTE), finished(21, 5 * MINUTE)]
    expect(held(decide([...range(0, 6).map((n) => live(n)), tombstone(6)], earlier))).toEqual(['u6'])
  })

  test('what left the window counts no more', () => {
    const earlier = [finished(20, 10 * MINUTE), finished(21, 5 * MINUTE)]
    const next = decide([...range(0, 6).map((n) => live(n)), tombstone(6)], earlier)
    expect(held(next)).toEqual([])
    expect(next.map((d) => d.uid)).toEqual(['u21', 'u6'])
  })

  test('objects made after the window began do not make the share smaller', () => {
    const young = range(10, 100).map((n) => live(n, NOW - MINUTE))
    const deletions = range(0, 3).map((n) => tombstone(n, 2 * MINUTE))
    expect(held(decide([...deletions, live(3), ...young]))).toEqual(['u0', 'u1', 'u2'])
  })

  test('a teardown under way is not held: its first irreversible effect is done', () => {
    expect(held(decide([{ ...tombstone(0), begun: true }, tombstone(1)]))).toEqual(['u1'])
  })

  test('its own annotation confirms a deletion', () => {
    expect(decide([{ ...tombstone(0), confirmed: true }])).toMatchObject([{ state: 'confirmed' }])
  })
})

// Random histories: objects live, tombstones of any age, some begun, and any memory of them.
const history = fc
  .array(
    fc.record({
      deleted: fc.option(fc.integer({ min: 0, max: 3 * HOLD_WINDOW_MS }), { nil: undefined }),
      created: fc.integer({ min: 0, max: NOW }),
      begun: fc.boolean(),
      confirmed: fc.boolean(),
    }),
    { maxLength: 30 },
  )
  .map((objects) =>
    objects.map(({ deleted, created, begun, confirmed }, n): Present => {
      const base = { key: `Node/n${n}`, uid: `u${n}`, createdMs: created }
      if (deleted === undefined) return { ...base, begun: false, confirmed: false }
      return { ...base, deletedMs: NOW - deleted, begun, confirmed }
    }),
  )

describe('for any history', () => {
  test('a live object is never remembered as a deletion, and every tombstone is', () => {
    fc.assert(
      fc.property(history, (present) => {
        const tombstones = present.filter((o) => o.deletedMs !== undefined).map((o) => o.uid)
        expect(decide(present).map((d) => d.uid)).toEqual(tombstones)
      }),
    )
  })

  test('deciding again with what was decided changes nothing', () => {
    fc.assert(
      fc.property(history, (present) => {
        const once = decide(present)
        expect(decide(present, once)).toEqual(once)
      }),
    )
  })

  test('held stays held however much time goes by, until a person confirms or the object comes back', () => {
    fc.assert(
      fc.property(history, fc.integer({ min: 0, max: 100 * HOLD_WINDOW_MS }), (present, laterMs) => {
        const once = decide(present)
        const later = decideHolds('Node', present, once, NOW + laterMs)
        expect(held(later)).toEqual(expect.arrayContaining(held(once)))
        const back = present.map(({ deletedMs: _, ...rest }) => rest)
        expect(decideHolds('Node', back, once, NOW + laterMs)).toEqual([])
      }),
    )
  })

  test('nothing that is begun or confirmed is held', () => {
    fc.assert(
      fc.property(history, (present) => {
        const settled = new Set(present.filter((o) => o.begun || o.confirmed).map((o) => o.uid))
        expect(held(decide(present)).filter((uid) => settled.has(uid))).toEqual([])
      }),
    )
  })

  test('a kind never empties and never loses 3 and more than 30 % within the window unheld', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.array(fc.nat(39), { maxLength: 40 }), (size, order) => {
        // One after another, each decided when it comes; what is free is finished at once.
        let present = range(0, size).map((n) => live(n))
        let memory: Deletion[] = []
        for (const n of new Set(order.filter((at) => at < size))) {
          present = present.map((o) => (o.uid === `u${n}` ? { ...o, deletedMs: NOW } : o))
          memory = decide(present, memory)
          const free = new Set(memory.filter((d) => d.state === 'free').map((d) => d.uid))
          present = present.filter((o) => !free.has(o.uid))
        }
        const lost = size - present.length
        expect(present.length).toBeGreaterThan(0)
        expect(lost < 3 || lost <= 0.3 * size).toBe(true)
      }),
    )
  })
})
