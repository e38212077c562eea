import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { MakeSubject } from './subject.ts'

/** Durable facts. */
export function recording(make: MakeSubject): void {
  test('a record is written by test-and-set', async () => {
    const { records } = (await make()).store()
    expect(records.get('term')).toBeUndefined()
    const first = await records.put('term', { n: 1 }, 0)
    expect(records.get('term')).toEqual(first)
    await expect(records.put('term', { n: 9 }, 0)).rejects.toMatchObject({ code: 'Conflict' })
    const second = await records.put('term', { n: 2 }, first.version)
    expect(second.version).toBeGreaterThan(first.version)
    await expect(records.delete('term', first.version)).rejects.toMatchObject({ code: 'Conflict' })
    await records.delete('term', second.version)
    expect(records.get('term')).toBeUndefined()
    await expect(records.put('term', 0, second.version)).rejects.toMatchObject({ code: 'Conflict' })
  })

  test('of two writers who saw the same version one wins', async () => {
    const { records } = (await make()).store()
    const results = await Promise.allSettled([records.put('address/1', 'a', 0), records.put('address/1', 'b', 0)])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
    expect(records.get('address/1')?.value).toBe('a')
  })

  test('a record written again after its removal has a version never used before', async () => {
    const { records } = (await make()).store()
    const first = await records.put('slot/1', 'a', 0)
    await records.delete('slot/1', first.version)
    const again = await records.put('slot/1', 'b', 0)
    expect(again.version).toBeGreaterThan(first.version)
  })

  test('records are listed by prefix, in order', async () => {
    const { records } = (await make()).store()
    for (const key of ['slot/b/2', 'slot/a/1', 'slot/a/10', 'term', 'slots']) await records.put(key, key, 0)
    expect(records.list('slot/').map(({ key }) => key)).toEqual(['slot/a/1', 'slot/a/10', 'slot/b/2'])
    expect(records.list('slot/a/').map(({ value }) => value)).toEqual(['slot/a/1', 'slot/a/10'])
    expect(records.list('zone')).toEqual([])
  })

  test('a record cannot be changed through what was given or what was got', async () => {
    const { records } = (await make()).store()
    const value = { slots: [1] }
    await records.put('x', value, 0)
    value.slots.push(2)
    const got = records.get('x')?.value as { slots: number[] }
    expect(got).toEqual({ slots: [1] })
    expect(() => got.slots.push(3)).toThrow(TypeError)
  })

  test('any history of writes and restarts ends where a plain map would', async () => {
    const step = fc.record({
      key: fc.constantFrom('a', 'a/1', 'b'),
      value: fc.option(fc.integer(), { nil: undefined }),
      stale: fc.boolean(),
      restart: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const s = await make()
        const model = new Map<string, { value: number; version: number }>()
        for (const { key, value, stale, restart } of steps) {
          if (restart) await s.reopen()
          const known = model.get(key)?.version ?? 0
          const expected = stale ? known + 1 : known
          const { records } = s.store()
          const result = value === undefined ? records.delete(key, expected) : records.put(key, value, expected)
          const outcome = await result.then(
            (record) => record ?? 'gone',
            () => 'conflict',
          )
          expect(outcome === 'conflict').toBe(stale)
          if (stale) continue
          if (typeof outcome === 'object') model.set(key, { value: value as number, version: outcome.version })
          else model.delete(key)
        }
        const kept = s
          .store()
          .records.list('')
          .map(({ key, value, version }) => [key, { value, version }])
        expect(kept).toEqual([...model].sort(([a], [b]) => (a < b ? -1 : 1)))
      }),
      { numRuns: 25 },
    )
  })
}
