import fs from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseAllDocuments, stringify } from 'yaml'
import { parsePlainYaml } from './plain-yaml.ts'

/** What the full parser says, faults included. */
function full(text: string): unknown {
  const documents = parseAllDocuments(text)
  if (!Array.isArray(documents)) return []
  const faults = documents.flatMap(({ errors }) => errors.map(({ message }) => message))
  return faults.length > 0 ? { faults } : documents.map((document) => document.toJS())
}

/** Equal wherever the fast one dares; says whether it did. */
function agrees(text: string): boolean {
  const fast = parsePlainYaml(text)
  if (fast !== undefined) expect(fast).toEqual(full(text))
  return fast !== undefined
}

const word = fc.oneof(
  fc.constantFrom(
    'true',
    'null',
    '~',
    'a: b',
    'a #b',
    '- a',
    '10.8.0.5',
    '1e3',
    '0x1f',
    '010',
    '-0',
    '256Mi',
    'x:',
    '',
  ),
  fc.stringMatching(/^[ -~]{0,12}$/),
  fc.string({ unit: 'grapheme', maxLength: 6 }),
)
const key = fc.oneof(fc.stringMatching(/^[a-z][a-zA-Z0-9./_-]{0,8}$/), fc.constantFrom('null', '__proto__', 'toString'))
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    fc.oneof(word, fc.integer(), fc.double(), fc.boolean(), fc.constant(null)),
    fc.dictionary(key, tie('tree'), { maxKeys: 4 }),
    fc.array(tie('tree'), { maxLength: 3 }),
  ),
}))

test('whatever a program writes is read as the full parser reads it', () => {
  fc.assert(
    fc.property(fc.array(tree, { minLength: 1, maxLength: 3 }), (documents) => {
      agrees(documents.map((one) => stringify(one)).join('---\n'))
    }),
    { numRuns: 1_000 },
  )
})

test('lines thrown together at random are read as the full parser reads them, or left to it', () => {
  const line = fc
    .tuple(
      fc.constantFrom('', ' ', '  ', '    ', '\t', ' \u00a0'),
      fc.constantFrom(
        'a:',
        'b:',
        'c: 1',
        'a: x',
        '- a',
        '- a: 1',
        '-',
        '- - a',
        '---',
        '...',
        '# c',
        'x',
        "k: 'it'",
        'k: "q"',
        'k: |',
        'k: {a: 1}',
        '? a',
        '%YAML 1.2',
        '--- a',
        '&a b: c',
        '*a : b',
        'a:b',
        'a : b',
        'a: b: c',
        'd: []',
        'a: "x" # y',
        'a: !t b',
        ':',
        'a: x y  z',
        'a: -',
        'a: ...',
        "a: ''",
        "a: '",
        'é: 1',
        'a: é',
      ),
      fc.constantFrom('', '', '', ' ', '\r'),
    )
    .map((parts) => parts.join(''))
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), (lines) => void agrees(`${lines.join('\n')}\n`)),
    { numRuns: 5_000 },
  )
})

test('the fleets of the examples are all of this kind', () => {
  const files = fs.globSync('examples/**/*.yaml')
  expect(files.length).toBeGreaterThan(20)
  for (const file of files) expect(agrees(fs.readFileSync(file, 'utf8')), file).toBe(true)
})

test('what Kubernetes users write is of this kind, too', () => {
  const text = `# a comment
---
metadata:
  name: edge-1   # not with this one
`
  expect(agrees(text)).toBe(false)
  expect(agrees(text.replace(/ {3}#.*/, ''))).toBe(true)
  expect(agrees('a:\n- x\n- k: 1\n  l:\n  - 2\nb: "10"\n---\n---\n# end\n')).toBe(true)
})
