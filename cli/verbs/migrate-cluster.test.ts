import fc from 'fast-check'
import { expect, test } from 'vitest'
import { pieces } from './migrate-cluster.ts'

test('a registry is cut at ends of lines, into as much as one object holds, and nothing is lost', () => {
  const line = fc.string({ maxLength: 30 }).map((text) => `${text.replaceAll('\n', ' ')}\n`)
  fc.assert(
    fc.property(fc.array(line), fc.integer({ min: 40, max: 100 }), (lines, most) => {
      const cut = [...pieces(lines.join(''), most)]
      expect(cut.join('')).toBe(lines.join(''))
      for (const piece of cut) expect(piece.endsWith('\n')).toBe(true)
      for (const piece of cut) expect(piece.length).toBeLessThanOrEqual(most)
    }),
  )
})

test('a line longer than that stays whole', () => {
  expect([...pieces('a\nbbbbbbbb\nc\n', 4)]).toEqual(['a\n', 'bbbbbbbb\n', 'c\n'])
})
