import { expect, test } from 'vitest'
import { z } from 'zod'
import { parseSettings } from './yaml-settings.ts'

const schema = z.strictObject({
  name: z.string().default('ppn'),
  list: z.array(z.int()).default([]),
  log: z.strictObject({ level: z.enum(['info', 'warn']).default('info') }).prefault({}),
})
const refusal = (text: string) => {
  try {
    parseSettings('a.yaml', text, schema)
  } catch (error) {
    return error as Error & { code: string; at: object }
  }
  throw new Error('it was taken')
}

test.each(['', '# nothing\n', '---\n'])('an empty file, %j, means every default', (text) => {
  expect(parseSettings('a.yaml', text, schema)).toEqual({ name: 'ppn', list: [], log: { level: 'info' } })
})

test.each([
  ['log:\n  level: loud\n', { line: 2, column: 10 }, 'log.level'],
  ['name: a\nlist: [1, two]\n', { line: 2, column: 11 }, 'list.1'],
  ['name: a\nlog:\n  levle: info\n', { line: 3, column: 3 }, 'log.levle: there is no such setting'],
  ['name: {}\n', { line: 1, column: 7 }, 'name'],
  ['name: "a\n', { line: 2, column: 1 }, 'quote'],
  ['- a\n', { line: 1, column: 1 }, 'expected object'],
])('%j is refused where the fault is', (text, place, what) => {
  const { code, at, message } = refusal(text)
  expect({ code, at }).toEqual({ code: 'SettingsInvalid', at: { file: 'a.yaml', ...place } })
  expect(message).toContain(what)
})

test('every other fault is named with its line', () => {
  expect(refusal('name: {}\nlist: [x]\n').message).toMatch(/^name: .*; line 2:8: list\.0: /)
})
