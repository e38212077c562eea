import { expect, test } from 'vitest'
import { factsOnArrival, TERM_LEAP } from './arrival.ts'

test('the next reign lies above the last, within what a node follows by itself', () => {
  expect(factsOnArrival([{ key: 'term', value: 12 }], new Map())).toEqual([{ key: 'term', value: 12 + TERM_LEAP }])
  // Two starts of the old place against its mark do not catch up with the first reign here.
  expect(TERM_LEAP + 1).toBeGreaterThan(2)
  // Section 7.1: its own term and the next 16; the reign begins one above the record.
  expect(TERM_LEAP + 1).toBeLessThanOrEqual(16)
})

test('what belongs to a place stays there', () => {
  const facts = ['migration', 'audit/head', 'file/restored', 'address/10.8.0.1'].map((key) => ({ key, value: 1 }))
  expect(factsOnArrival(facts, new Map()).map(({ key }) => key)).toEqual(['address/10.8.0.1'])
})
