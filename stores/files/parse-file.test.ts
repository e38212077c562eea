import { describe, expect, test } from 'vitest'
import { FILE_LIMIT_BYTES, parseFile } from './parse-file.ts'

const parse = (text: string) => parseFile('a.yaml', Buffer.from(text))
const node = (name: string, more = '') => `apiVersion: ppn.dev/v1alpha1
kind: Node
metadata:
  name: ${name}
spec:
  role: spoke
  site: onprem
${more}`

test('a fault is shown at its line and column, in whichever document it is', () => {
  const { problems, definitions, spoilt } = parse(
    `# fleet\n${node('edge-1')}---\n${node('edge-2', '  isolatd: true\n')}`,
  )
  expect(problems).toEqual([
    {
      code: 'UnknownField',
      message: 'unknown field spec.isolatd',
      hint: 'did you mean isolated?',
      severity: 'error',
      key: 'Node/edge-2',
      file: 'a.yaml',
      line: 17,
      column: 3,
    },
  ])
  expect(definitions.map(({ draft }) => draft.name)).toEqual(['edge-1'])
  expect(spoilt).toEqual([{ key: 'Node/edge-2', file: 'a.yaml' }])
})

test('a wrong value is shown at the value, a missing field at its parent, an unknown kind at the kind', () => {
  const at = (text: string) => parse(text).problems.map(({ code, line, column }) => [code, line, column])
  expect(at(node('edge-1').replace('spoke', 'king'))).toEqual([['InvalidValue', 6, 9]])
  expect(at(node('edge-1').replace('  role: spoke\n', ''))).toEqual([['MissingField', 5, 1]])
  expect(at(node('edge-1').replace('kind: Node', 'kind: Noed'))).toEqual([['UnknownKind', 2, 7]])
  expect(at(`${node('edge-1')}status:\n  address: 10.8.0.1\n`)).toEqual([['IgnoredField', 8, 1]])
})

test('all faults of a document are told at once', () => {
  const text = node('edge-1', '  isolated: perhaps\n  colour: red\n').replace('onprem', 'moon')
  expect(parse(text).problems.map(({ line }) => line)).toEqual([7, 8, 9])
})

test('a file that is no YAML is bad as a whole, with the place of the first fault', () => {
  const { problems, definitions, unread } = parse(`${node('edge-1')}---\nkind: Node\n\tname: x\n`)
  expect(definitions).toEqual([])
  expect(unread).toBe(true)
  expect(problems).toMatchObject([{ code: 'YamlSyntax', line: 10, column: 1 }])
  expect(problems[0]?.message).not.toContain('\n')
})

test('a key written twice is a fault, not a choice', () => {
  expect(parse(node('edge-1', '  role: hub\n'))).toMatchObject({
    unread: true,
    problems: [{ code: 'YamlSyntax', line: 8 }],
  })
})

test('a byte order mark and Windows line ends are no fault', () => {
  expect(parse(`\uFEFF${node('edge-1').replaceAll('\n', '\r\n')}`)).toMatchObject({ definitions: [{}], problems: [] })
})

test('an empty file, comments and empty documents declare nothing', () => {
  expect(parse('')).toEqual({ definitions: [], spoilt: [], unread: false, problems: [] })
  expect(parse('# nothing\n---\n---\n# here\n')).toEqual({ definitions: [], spoilt: [], unread: false, problems: [] })
})

test('what is not UTF-8 is refused', () => {
  const bytes = Buffer.concat([Buffer.from(node('edge-1')), Buffer.from([0x23, 0xff, 0xfe])])
  expect(parseFile('a.yaml', bytes)).toMatchObject({ unread: true, problems: [{ code: 'NotUtf8', file: 'a.yaml' }] })
})

test('a file over the limit is refused unread', () => {
  const problems = [{ code: 'FileTooLong' }]
  expect(parseFile('a.yaml', Buffer.alloc(FILE_LIMIT_BYTES + 1, '#'))).toMatchObject({ unread: true, problems })
})

test('a bomb of aliases does not go off', () => {
  const levels = Array.from(
    { length: 12 },
    (_, i) =>
      `a${i}: &a${i} [${Array(9)
        .fill(i ? `*a${i - 1}` : 'x')
        .join(',')}]`,
  )
  expect(parse(levels.join('\n'))).toMatchObject({ unread: true, problems: [{ code: 'YamlAliases' }] })
})

test('a few anchors are fine', () => {
  expect(parse(node('&name edge-1\n  labels: { name: *name }'))).toMatchObject({
    definitions: [{ draft: { name: 'edge-1', labels: { name: 'edge-1' } } }],
    problems: [],
  })
})

test('brackets without end do not bring the parser down', () => {
  expect(parse('['.repeat(200_000)).unread).toBe(true)
  expect(parse(`${'['.repeat(20_000)}${']'.repeat(20_000)}`).unread).toBe(true)
})

test('a list or a scalar is no object', () => {
  expect(parse('- a\n- b\n')).toMatchObject({ unread: true, problems: [{ code: 'NotAnObject', line: 1, column: 1 }] })
})

test('a pairing in a file is warned about: it carries a live code', () => {
  const text = `apiVersion: ppn.dev/v1alpha1
kind: Pairing
metadata: { name: p }
spec: { nodeName: edge-1, rendezvous: AB12, code: ABCD-EFGH }
`
  const { problems, definitions } = parse(text)
  expect(problems).toMatchObject([{ code: 'ActInFolder', severity: 'warning', line: 2 }])
  expect(JSON.stringify(problems)).not.toContain('ABCD')
  expect(definitions).toHaveLength(1)
})

test('a wrong code is not repeated in what is said about it', () => {
  const text = `apiVersion: ppn.dev/v1alpha1
kind: Pairing
metadata: { name: p }
spec: { nodeName: edge-1, rendezvous: AB12, code: SECRET! }
`
  const { problems } = parse(text)
  expect(problems.some(({ code }) => code === 'InvalidValue')).toBe(true)
  expect(JSON.stringify(problems)).not.toContain('SECRET')
})

describe('a List, as kubectl prints it', () => {
  const LIST = `apiVersion: v1
kind: List
metadata: { resourceVersion: "" }
items:
  - apiVersion: ppn.dev/v1alpha1
    kind: Node
    metadata: { name: relay }
    spec: { role: hub, site: cloud, endpoint: "relay.example:51820" }
  - apiVersion: ppn.dev/v1alpha1
    kind: Node
    metadata: { name: edge-1 }
    spec:
      role: spoke
      site: onprem
      adress: 10.8.0.9
`
  test('is its items, each with its own position', () => {
    const place = parseFile('fleet.yaml', Buffer.from(LIST))
    expect(place.definitions.map(({ draft }) => draft.key)).toEqual(['Node/relay'])
    expect(place.definitions[0]?.locate?.(['spec', 'endpoint'])).toMatchObject({ line: 8 })
    expect(place.spoilt).toEqual([{ key: 'Node/edge-1', file: 'fleet.yaml' }])
    expect(place.unread).toBe(false)
    expect(place.problems).toMatchObject([{ code: 'UnknownField', file: 'fleet.yaml', line: 15, column: 7 }])
  })

  test('without items holds what the file held before, and says so', () => {
    const place = parseFile('fleet.yaml', Buffer.from('apiVersion: v1\nkind: List\nitems: nothing\n'))
    expect(place).toMatchObject({ definitions: [], unread: true, problems: [{ code: 'ListWithoutItems' }] })
  })

  test('an item that is nothing is a fault: something was meant there', () => {
    expect(parseFile('fleet.yaml', Buffer.from('apiVersion: v1\nkind: List\nitems:\n  -\n'))).toMatchObject({
      definitions: [],
      unread: true,
    })
  })

  test('an empty one is an empty file', () => {
    const place = parseFile('fleet.yaml', Buffer.from('apiVersion: v1\nkind: List\nitems: []\n'))
    expect(place).toEqual({ definitions: [], spoilt: [], unread: false, problems: [] })
  })
})
