import { expect, test } from 'vitest'
import type { Asked } from './audit.ts'
import { firstStatuses } from './statuses.ts'

const wrote = (name: string, endedMs: number, change: Partial<Asked> = {}): Asked => ({
  ...{ agent: 'a', what: 'patch status', name, status: 200, endedMs },
  ...change,
})

test('the first status of each after it was changed counts, and no other write', () => {
  const asked = [
    wrote('a', 5),
    wrote('a', 11, { what: 'patch' }),
    wrote('a', 12, { status: 409 }),
    wrote('a', 13),
    wrote('a', 14),
    wrote('of nobody', 15),
    wrote('b', 16),
  ]
  expect(
    firstStatuses(
      asked,
      new Map([
        ['a', 10],
        ['b', 10],
        ['c', 10],
      ]),
    ),
  ).toEqual(
    new Map([
      ['a', 13],
      ['b', 16],
    ]),
  )
})
