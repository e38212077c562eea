import { expect, test } from 'vitest'
import { conditions, draft, rfc3339 } from './conditions.ts'

const MINUTE = 60_000

test('lastTransitionTime moves when the status moves and only then', () => {
  const first = conditions(undefined, [draft('Ready', 'False', 'Pending', 'on its way')], 1, 0)
  const same = conditions(first, [draft('Ready', 'False', 'Staged', 'nearly there')], 2, MINUTE)
  expect(same).toEqual([
    {
      type: 'Ready',
      status: 'False',
      reason: 'Staged',
      message: 'nearly there',
      observedGeneration: 2,
      lastTransitionTime: rfc3339(0),
    },
  ])
  expect(conditions(same, [draft('Ready', 'True', 'Converged', '')], 2, MINUTE)[0]?.lastTransitionTime).toBe(
    '1970-01-01T00:01:00Z',
  )
})

test('a type that is not drafted goes', () => {
  const before = conditions(undefined, [draft('Ready', 'True', 'A', ''), draft('Deleting', 'True', 'B', '')], 1, 0)
  expect(conditions(before, [draft('Ready', 'True', 'A', '')], 1, 0).map((c) => c.type)).toEqual(['Ready'])
})
