import fc from 'fast-check'
import { expect, test } from 'vitest'
import { expandRevision } from './revision.ts'

const low16 = fc.nat(0xffff)
const u32 = fc.nat(0xffff_ffff)

test('the result has the low bits told and no revision with them is nearer', () => {
  fc.assert(
    fc.property(low16, u32, (low, near) => {
      const revision = expandRevision(low, near)
      expect(revision % 0x1_0000).toBe(low)
      expect(revision).toBeGreaterThanOrEqual(0)
      expect(revision).toBeLessThanOrEqual(0xffff_ffff)
      const distance = Math.abs(revision - near)
      for (const rival of [revision - 0x1_0000, revision + 0x1_0000]) {
        if (rival >= 0 && rival <= 0xffff_ffff) expect(Math.abs(rival - near)).toBeGreaterThanOrEqual(distance)
      }
    }),
  )
})

test('whoever is fewer than 2^15 revisions away learns the very revision that was meant', () => {
  fc.assert(
    fc.property(u32, fc.integer({ min: -0x7fff, max: 0x7fff }), (revision, away) => {
      const near = revision + away
      if (near < 0 || near > 0xffff_ffff) return
      expect(expandRevision(revision % 0x1_0000, near)).toBe(revision)
    }),
  )
})

test.each([
  [5, 0, 5],
  [40_000, 0, 40_000],
  [0, 0xffff, 0x1_0000],
  [0xffff, 0x1_0000, 0xffff],
  [0, 0xffff_ffff, 0xffff_0000],
])('low bits %d near %d mean %d', (low, near, meant) => {
  expect(expandRevision(low, near)).toBe(meant)
})

test('half way, where RFC 1982 leaves it open, it is the lower', () => {
  expect(expandRevision(0x8000, 0x2_0000)).toBe(0x1_8000)
})
