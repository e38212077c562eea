import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Newcomer, newcomerOrder } from './order.ts'

function newcomer(kind: Newcomer['kind'], name: string, seen: string, namespace?: string): Newcomer {
  return { kind, metadata: { name, namespace, uid: `${kind}-${namespace}-${name}-${seen}`, creationTimestamp: seen } }
}

test('a Node comes before an Archive, then the first seen, then the name, then the namespace', () => {
  const sorted = [
    newcomer('Node', 'z', '2026-01-02T00:00:00Z'),
    newcomer('Archive', 'b', '2026-01-01T00:00:00Z', 'vault'),
    newcomer('Archive', 'a', '2026-01-01T00:00:00.500Z', 'a'),
    newcomer('Archive', 'a', '2026-01-01T00:00:01Z', 'a'),
    newcomer('Archive', 'a', '2026-01-01T00:00:01Z', 'b'),
    newcomer('Archive', 'b', '2026-01-01T00:00:01Z', 'a'),
  ]
  fc.assert(
    fc.property(fc.shuffledSubarray(sorted, { minLength: sorted.length }), (shuffled) => {
      expect([...shuffled].sort(newcomerOrder)).toEqual(sorted)
    }),
  )
})

test('the same instant written with and without a fraction is the same instant', () => {
  const a = newcomer('Archive', 'a', '2026-01-01T00:00:00Z', 'n')
  const b = newcomer('Archive', 'b', '2026-01-01T00:00:00.000Z', 'n')
  expect(newcomerOrder(a, b)).toBeLessThan(0)
  expect(newcomerOrder(b, a)).toBeGreaterThan(0)
})
