// Valid and invalid objects of every kind, made from the schema's own bounds. Exported for every suite that asks
// whether two readers of the vocabulary (zod, a store, an API server) agree.
import { type StructuralSchema, structuralSchema } from '../../api/crd/structural.ts'
import { KINDS, type Kind } from '../../api/meta.ts'
import { QUANTITY_SUFFIXES } from '../../api/v1alpha1/common.ts'
import { SPEC_SCHEMA } from '../../api/v1alpha1/index.ts'
import { fullObject, minimalObject, type PlainObject, withField } from './base.ts'

export interface ObjectCase {
  /** `Archive spec.cpu.vcpus: maximum + 1`. */
  label: string
  object: PlainObject
  valid: boolean
}

export interface UpdateCase {
  label: string
  before: PlainObject
  after: PlainObject
  valid: boolean
}

type Path = readonly (string | number)[]
/** One letter outside the basic multilingual plane: two UTF-16 units, one code point. */
const NON_BMP = '\u{1d49c}'

/** Values in bounds that a rule over several fields nevertheless refuses, by `path` and value. */
const CROSS_FIELD: Readonly<Record<string, readonly unknown[]>> = {
  'spec.memory.balloon.lowWatermarkPercent': [1, 2, 98, 99],
  'spec.memory.balloon.highWatermarkPercent': [1, 2],
  'spec.memory.balloon.emergencyPercent': [98, 99],
}

function* leaves(schema: StructuralSchema, path: Path): Generator<[Path, StructuralSchema, boolean]> {
  const required = (schema.required ?? []) as string[]
  for (const [name, child] of Object.entries(schema.properties ?? {})) {
    yield [[...path, name], child, required.includes(name)]
    yield* leaves(child, [...path, name])
  }
}

/** [what, value, valid] for one field, from its keywords. */
function valuesOf(schema: StructuralSchema): [string, unknown, boolean][] {
  const { minimum, maximum, maxLength, minLength, minItems, maxItems } = schema as Record<string, number | undefined>
  const out: [string, unknown, boolean][] = [['null', null, false]]
  switch (schema.type) {
    case 'integer':
      out.push(
        ['minimum', minimum, true],
        ['minimum + 1', (minimum as number) + 1, true],
        ['minimum - 1', (minimum as number) - 1, false],
        ['maximum', maximum, true],
        ['maximum - 1', (maximum as number) - 1, true],
        ['maximum + 1', (maximum as number) + 1, false],
        ['a fraction', (minimum as number) + 0.5, false],
        ['text', String(minimum), false],
      )
      break
    case 'boolean':
      out.push(['true', true, true], ['false', false, true], ['text', 'true', false], ['a number', 1, false])
      break
    case 'array':
      out.push(['not a list', 'x', false])
      if (minItems) out.push(['no items', [], false])
      out.push(['too many items', Array.from({ length: (maxItems as number) + 1 }, (_, i) => `n${i}`), false])
      break
    case 'string':
      out.push(['a number', 7, false], ['empty', '', false])
      for (const value of (schema.enum ?? []) as string[]) out.push([`enum ${value}`, value, true])
      if (schema.enum) out.push(['not in the enum', 'Other', false], ['enum in lower case', 'other', false])
      if (maxLength) {
        out.push(['one over maxLength', 'a'.repeat(maxLength + 1), false])
        out.push(['non-BMP of maxLength code points', NON_BMP.repeat(maxLength), false])
      }
      if (minLength && minLength > 1) out.push(['one under minLength', 'a'.repeat(minLength - 1), false])
      out.push(['a trailing newline', 'a\n', false])
      break
    case 'object':
      out.push(['not a mapping', 'x', false], ['a list', [], false])
  }
  return out
}

function fieldCases(kind: Kind): ObjectCase[] {
  const full = fullObject(kind)
  const cases: ObjectCase[] = []
  for (const [path, schema, required] of leaves(structuralSchema(SPEC_SCHEMA[kind]), ['spec'])) {
    // Of two alternatives only one can be set: varied in the special cases.
    if (path.includes('codeSecretRef')) continue
    const dotted = path.join('.')
    // A hub cannot be isolated and needs its endpoint; the base is a spoke with one.
    for (const [what, value, valid] of valuesOf(schema)) {
      const crossed = CROSS_FIELD[dotted]?.includes(value) ?? false
      cases.push({
        label: `${kind} ${dotted}: ${what}`,
        object: withField(full, path, value),
        valid: valid && !crossed,
      })
    }
    if (required)
      cases.push({ label: `${kind} ${dotted}: missing`, object: withField(full, path, undefined), valid: false })
    const parent = path.slice(0, -1)
    cases.push({
      label: `${kind} ${parent.join('.')}: an unknown field`,
      object: withField(full, [...parent, 'surprise'], 1),
      valid: false,
    })
  }
  return cases
}

/** Every suffix around one unit, the step and the maximum. */
function quantityCases(): ObjectCase[] {
  const archive = fullObject('Archive')
  // target off the way: only floor and max are varied together, so that their order never matters.
  const set = (text: string) =>
    withField(
      withField(withField(archive, ['spec', 'memory', 'target'], undefined), ['spec', 'memory', 'floor'], text),
      ['spec', 'memory', 'max'],
      text,
    )
  const table: [string, boolean][] = [
    ['16Mi', true],
    ['15Mi', false],
    ['17Mi', false],
    ['32Mi', true],
    ['16384Ki', true],
    ['16385Ki', false],
    ['16777216', true],
    ['16777217', false],
    ['0', false],
    ['0Mi', false],
    ['1Gi', true],
    ['1024Gi', true],
    ['1025Gi', false],
    ['1Ti', true],
    ['2Ti', false],
    ['1099511627776', true],
    ['1099528404992', false],
    // Decimal suffixes count in powers of ten: only some multiples meet the step of 16Mi.
    ['1G', false],
    ['262144k', false],
    ['16777216k', true],
    ['1M', false],
    ['262144M', true],
    ['1T', false],
    ['1.5Gi', false],
    ['1e9', false],
    ['1Pi', false],
    ['512m', false],
    ['512MiB', false],
    ['-16Mi', false],
    ['+16Mi', false],
    [' 16Mi', false],
  ]
  const cases = table.map(([text, valid]) => ({
    label: `Archive memory ${JSON.stringify(text)}`,
    object: set(text),
    valid,
  }))
  for (const suffix of QUANTITY_SUFFIXES)
    cases.push({ label: `Archive memory zero with suffix "${suffix}"`, object: set(`0${suffix}`), valid: false })
  return cases
}

function ruleCases(): ObjectCase[] {
  const node = fullObject('Node')
  const pairing = fullObject('Pairing')
  const pool = fullObject('ResourcePool')
  const archive = fullObject('Archive')
  const mesh = fullObject('Mesh')
  const of = (label: string, object: PlainObject, valid: boolean): ObjectCase => ({ label, object, valid })
  const name = (object: PlainObject, value: string) => withField(object, ['metadata', 'name'], value)
  return [
    of('Node: a hub with an endpoint', withField(node, ['spec', 'role'], 'hub'), true),
    of(
      'Node: a hub without an endpoint',
      withField(withField(node, ['spec', 'role'], 'hub'), ['spec', 'endpoint'], undefined),
      false,
    ),
    of('Node: an isolated hub', withField(withField(node, ['spec', 'role'], 'hub'), ['spec', 'isolated'], true), false),
    of('Node: one key twice', withField(node, ['spec', 'identity', 'commandPublicKey'], `${'A'.repeat(42)}A=`), false),
    of('Node: an address with a leading zero', withField(node, ['spec', 'address'], '10.8.0.02'), false),
    of('Node: an IPv6 endpoint', withField(node, ['spec', 'endpoint'], '[2001:db8::1]:51820'), true),
    of('Node: an endpoint without a port', withField(node, ['spec', 'endpoint'], 'edge-2.example'), false),
    of('Node: a namespace twice', withField(node, ['spec', 'allowedNamespaces'], ['a', 'a']), false),
    of('Node: a name of 63 characters', name(node, 'a'.repeat(63)), true),
    of('Node: a name of 64 characters', name(node, 'a'.repeat(64)), false),
    of('Node: a name in capitals', name(node, 'Edge-2'), false),
    of('Node: a name with a dot', name(node, 'edge.2'), false),
    of('Mesh: host bits set', withField(mesh, ['spec', 'cidr'], '10.8.0.1/24'), false),
    of('Mesh: a /23', withField(mesh, ['spec', 'cidr'], '10.8.0.0/23'), false),
    of('Mesh: a /28', withField(mesh, ['spec', 'cidr'], '10.8.0.16/28'), true),
    of('Mesh: a /28 off its boundary', withField(mesh, ['spec', 'cidr'], '10.8.0.8/28'), false),
    of('Mesh: one TCP port twice', withField(mesh, ['spec', 'ports', 'sync'], 8091), false),
    of('Mesh: one UDP port twice', withField(mesh, ['spec', 'ports', 'command'], 51820), false),
    of('Mesh: a TCP and a UDP port alike', withField(mesh, ['spec', 'ports', 'sync'], 8090), true),
    of('Pairing: neither code nor reference', withField(pairing, ['spec', 'code'], undefined), false),
    of('Pairing: code and reference', withField(pairing, ['spec', 'codeSecretRef'], { name: 'a', key: 'b' }), false),
    of('Pairing: a code in lower case', withField(pairing, ['spec', 'code'], '4xj9-tq0m'), false),
    of(
      'Pairing: a code with a letter that Crockford leaves out',
      withField(pairing, ['spec', 'code'], '4XJ9-TQ0L'),
      false,
    ),
    of('Pairing: five digits', withField(pairing, ['spec', 'sas'], '01234'), false),
    of('ResourcePool: named unlike its node', name(pool, 'edge-3'), false),
    of(
      'ResourcePool: low equals high',
      withField(pool, ['spec', 'memory', 'balloon', 'lowWatermarkPercent'], 30),
      false,
    ),
    of(
      'ResourcePool: emergency over low',
      withField(pool, ['spec', 'memory', 'balloon', 'emergencyPercent'], 16),
      false,
    ),
    of('Archive: floor over max', withField(archive, ['spec', 'memory', 'floor'], '2Gi'), false),
    of('Archive: target under floor', withField(archive, ['spec', 'memory', 'target'], '128Mi'), false),
    of(
      'Archive: a target of 1Ti, which no command can say',
      withField(withField(archive, ['spec', 'memory', 'max'], '1Ti'), ['spec', 'memory', 'target'], '1Ti'),
      false,
    ),
    of(
      'Archive: the largest target',
      withField(withField(archive, ['spec', 'memory', 'max'], '1Ti'), ['spec', 'memory', 'target'], '1048560Mi'),
      true,
    ),
    of('Archive: target over max', withField(archive, ['spec', 'memory', 'target'], '2Gi'), false),
    of(
      'Archive: floor, target and max alike in other units',
      withField(withField(archive, ['spec', 'memory', 'floor'], '1024Mi'), ['spec', 'memory', 'target'], '1048576Ki'),
      true,
    ),
    of('Archive: a name of another form', name(archive, 'totebox-1'), false),
    of('Archive: a gateway', name(archive, 'gateway-orchestration-travel-12'), true),
    of('Archive: a name without a number', name(archive, 'cluster-totebox-office'), false),
    of(
      'Archive: an image over http',
      withField(archive, ['spec', 'image', 'source'], 'http://images.example/a.raw'),
      false,
    ),
    of('Archive: an image in a folder above', withField(archive, ['spec', 'image', 'source'], '../a.raw'), false),
  ]
}

/** Every case of creating an object. */
export function objectCases(): ObjectCase[] {
  return [
    ...KINDS.map((kind) => ({ label: `${kind}: everything set`, object: fullObject(kind), valid: true })),
    ...KINDS.map((kind) => ({ label: `${kind}: only what must be set`, object: minimalObject(kind), valid: true })),
    ...KINDS.flatMap(fieldCases),
    ...quantityCases(),
    ...ruleCases(),
  ]
}

/** Pairs old and new: what may change, what may not, what may be set once. */
export function updateCases(): UpdateCase[] {
  const archive = fullObject('Archive')
  const pairing = fullObject('Pairing')
  const pool = fullObject('ResourcePool')
  const node = fullObject('Node')
  const change = (label: string, before: PlainObject, path: Path, value: unknown, valid: boolean): UpdateCase => ({
    label,
    before,
    after: withField(before, path, value),
    valid,
  })
  const without = (object: PlainObject, ...path: string[]) => withField(object, path, undefined)
  const undecided = without(without(pairing, 'spec', 'sas'), 'spec', 'decision')
  return [
    change('Archive: nothing changes', archive, ['spec', 'runState'], 'Running', true),
    change('Archive: the run state changes', archive, ['spec', 'runState'], 'Suspended', true),
    change('Archive: the pin changes', archive, ['spec', 'nodeName'], 'edge-3', true),
    change(
      'Archive: the image source changes',
      archive,
      ['spec', 'image', 'source'],
      'https://images.example/b.qcow2',
      false,
    ),
    change('Archive: the image digest changes', archive, ['spec', 'image', 'sha256'], 'a'.repeat(64), false),
    change(
      'Archive: the default architecture is spelt out',
      without(archive, 'spec', 'image', 'architecture'),
      ['spec', 'image', 'architecture'],
      'amd64',
      true,
    ),
    change('Archive: the architecture changes', archive, ['spec', 'image', 'architecture'], 'arm64', false),
    change('Pairing: another node', pairing, ['spec', 'nodeName'], 'edge-3', false),
    change('Pairing: another rendezvous', pairing, ['spec', 'rendezvous'], 'B7K2', false),
    change('Pairing: another code', pairing, ['spec', 'code'], '5XJ9-TQ0M', false),
    {
      label: 'Pairing: a reference instead of the code',
      before: pairing,
      after: withField(without(pairing, 'spec', 'code'), ['spec', 'codeSecretRef'], { name: 'a', key: 'b' }),
      valid: false,
    },
    change('Pairing: the digits are set', undecided, ['spec', 'sas'], '012345', true),
    change('Pairing: the decision is set', undecided, ['spec', 'decision'], 'Deny', true),
    change('Pairing: the digits change', pairing, ['spec', 'sas'], '543210', false),
    change('Pairing: the digits are removed', pairing, ['spec', 'sas'], undefined, false),
    change('Pairing: the decision changes', pairing, ['spec', 'decision'], 'Deny', false),
    change('Pairing: the decision is removed', pairing, ['spec', 'decision'], undefined, false),
    change('ResourcePool: the overcommit changes', pool, ['spec', 'memory', 'overcommitPercent'], 200, true),
    change('Node: the identity is removed', node, ['spec', 'identity'], undefined, true),
    change('Node: the site changes', node, ['spec', 'site'], 'cloud', true),
  ]
}
