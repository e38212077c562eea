import fc from 'fast-check'
import { expect, test } from 'vitest'
import { memoryRecords } from '../allocation/testing/memory-records.ts'
import { beginRestore, claimsOf, endRestoreOf, RESTORE_REACH, readRestore, takeHigher } from './restore.ts'

test('a counter is never lowered, and no number of nodes lifts it out of reach of the restored one', () => {
  const counter = fc.integer({ min: 0, max: 2 ** 32 - 1 })
  fc.assert(
    fc.property(counter, fc.array(counter), (base, claims) => {
      let ours = base
      for (const claim of claims) {
        const next = takeHigher(ours, base, claim)
        expect(next).toBeGreaterThanOrEqual(ours)
        ours = next
      }
      expect(ours).toBeLessThanOrEqual(base + RESTORE_REACH)
    }),
  )
})

test('a claim within reach is taken, one beyond is not', () => {
  expect(takeHigher(5, 5, 5 + RESTORE_REACH)).toBe(5 + RESTORE_REACH)
  expect(takeHigher(5, 5, 6 + RESTORE_REACH)).toBe(5)
  expect(takeHigher(9, 5, 7)).toBe(9)
})

test('a report claims the highest term and revision anywhere in it, and every epoch', () => {
  const digest = 'd'.repeat(64)
  const archive = 'a'.repeat(32)
  const report = {
    bundles: { applied: { term: 3, revision: 40, digest }, staged: { term: 5, revision: 41, digest } },
    told: { term: 4, revision: 44 },
    releases: [{ archive, fencingEpoch: 6, signature: 's'.repeat(88) }],
    registryHead: { count: 7, hash: digest },
  }
  expect(claimsOf(2, report)).toEqual({
    term: 5,
    revision: 44,
    epochs: [{ archive, fencingEpoch: 6 }],
    registryHead: { count: 7, hash: digest },
  })
  expect(claimsOf(9, {})).toEqual({ term: 9, revision: 0, epochs: [] })
})

test('the record of a restore goes with the last node heard', async () => {
  const records = memoryRecords()
  await beginRestore(records, { term: 3, revision: 9 }, ['b', 'a'])
  await endRestoreOf(records, 'a')
  expect(readRestore(records)).toEqual({ base: { term: 3, revision: 9 }, unheard: ['b'] })
  await endRestoreOf(records, 'b')
  expect(readRestore(records)).toBeUndefined()
})
