import { expect, test } from 'vitest'
import { benchOptions } from './options.ts'

const NAMES = ['ppn', 'other']

test('by default: a thousand objects, three rounds, everybody', () => {
  expect(benchOptions([], NAMES)).toEqual({ objects: 1000, rounds: 3, updates: 120, only: undefined })
  expect(benchOptions(['--objects', '10000', '--only', 'ppn,other'], NAMES)).toMatchObject({
    objects: 10_000,
    only: NAMES,
  })
})

test.each([
  [['--objects', '99'], /--objects is a whole number from 100/],
  [['--rounds', 'x'], /--rounds/],
  [['--updates', '1001'], /--updates is a whole number from 1 to 1000/],
  [['--only', 'nobody'], /no contestant "nobody"; there are ppn, other/],
  [['--fast'], /--fast/],
])('%j is refused', (args, why) => expect(() => benchOptions(args, NAMES)).toThrow(why))
