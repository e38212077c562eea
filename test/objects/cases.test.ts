import { expect, test } from 'vitest'
import { immutableBreaches } from '../../api/immutable.ts'
import { parseObject } from '../../api/parse.ts'
import { objectCases, updateCases } from './cases.ts'

const accepted = (object: unknown) => parseObject(object).type === 'object'

test('zod accepts exactly the valid ones of the generated objects, over 500 of them', () => {
  const cases = objectCases()
  expect(cases.length).toBeGreaterThan(500)
  const wrong = cases
    .filter((c) => accepted(c.object) !== c.valid)
    .map((c) => `${c.label}: ${c.valid ? 'refused' : 'accepted'}`)
  expect(wrong).toEqual([])
})

test('an update is refused if and only if it touches what is immutable', () => {
  for (const { label, before, after, valid } of updateCases()) {
    const [was, is] = [parseObject(before), parseObject(after)]
    if (was.type !== 'object' || is.type !== 'object') return expect.unreachable(`${label}: not an object`)
    expect(immutableBreaches(was.draft.kind, was.draft.spec, is.draft.spec).length === 0, label).toBe(valid)
  }
})
