import fc from 'fast-check'
import { expect, test } from 'vitest'
import { editDistance, suggest } from './suggest.ts'

const FIELDS = ['runState', 'nodeName', 'image', 'memory', 'cpu', 'restartPolicy']

test('one slip of the finger is recognised', () => {
  const slips = { runstate: 'runState', nodName: 'nodeName', iamge: 'image', memoryy: 'memory', cpi: 'cpu' }
  for (const [word, meant] of Object.entries(slips)) expect(suggest(word, FIELDS)).toBe(meant)
})

test('what is like nothing known gets no suggestion', () => {
  for (const word of ['colour', 'x', '', 'a'.repeat(10_000)]) expect(suggest(word, FIELDS)).toBeUndefined()
})

test('the distance is symmetric, zero only for equal words, and cut off above its limit', () => {
  const word = fc.string({ maxLength: 8 })
  fc.assert(
    fc.property(word, word, fc.nat(8), (a, b, limit) => {
      const distance = editDistance(a, b, 100)
      expect(editDistance(b, a, 100)).toBe(distance)
      expect(distance === 0).toBe(a === b)
      expect(editDistance(a, b, limit)).toBe(Math.min(distance, limit + 1))
    }),
  )
})
