import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { KINDS } from '../meta.ts'
import { crd, crds } from './crd.ts'
import type { StructuralSchema } from './structural.ts'

/** Every schema node below the root, with its path. */
function* nodes(schema: StructuralSchema, path = ''): Generator<[string, StructuralSchema]> {
  yield [path, schema]
  for (const [name, child] of Object.entries(schema.properties ?? {})) yield* nodes(child, `${path}.${name}`)
  if (schema.items) yield* nodes(schema.items, `${path}[]`)
}

const fields = crds().flatMap((crd) =>
  [...nodes(crd.spec.versions[0]?.schema.openAPIV3Schema as StructuralSchema)]
    .slice(1)
    .map(([path, schema]): [string, StructuralSchema] => [`${crd.spec.names.kind}${path}`, schema])
    .filter(([path]) => !/\.(apiVersion|kind|metadata)$/.test(path)),
)

test.each(fields)('%s says what it is and is bounded', (path, schema) => {
  if (!path.endsWith('[]')) expect(schema.description, 'description').toMatch(/\.$/)
  expect(['object', 'array', 'string', 'integer', 'boolean']).toContain(schema.type)
  if (schema.type === 'string') expect(schema.enum ?? schema.maxLength, 'maxLength').toBeDefined()
  if (schema.type === 'array') expect(schema.maxItems, 'maxItems').toBeDefined()
  if (schema.type === 'integer') expect([schema.minimum, schema.maximum]).not.toContain(undefined)
})

test.each(fields)('%s uses only keywords that a structural schema may have', (_, schema) => {
  for (const keyword of [
    '$ref',
    '$schema',
    'additionalProperties',
    'anyOf',
    'oneOf',
    'allOf',
    'not',
    'const',
    'exclusiveMinimum',
  ])
    expect(schema).not.toHaveProperty(keyword)
})

test('no pattern uses what RE2 lacks: look-around, back references, atomic groups', () => {
  for (const [path, { pattern }] of fields) if (pattern) expect(String(pattern), path).not.toMatch(/\(\?[=!<>]|\\[1-9]/)
})

test('the short names shadow nothing of the core group, and every kind is in the category', () => {
  const core = ['no', 'node', 'nodes', 'po', 'pv', 'pvc', 'svc', 'ns', 'cm', 'ev', 'ep', 'limits', 'quota', 'rc', 'sa']
  for (const { spec } of crds()) {
    expect(spec.names.shortNames.filter((name) => core.includes(name))).toEqual([])
    expect(spec.names.categories).toEqual(['ppn'])
    expect(spec.versions[0]?.subresources).toEqual({ status: {} })
  }
})

test('the checked-in CRDs are what the schemas say', () => {
  expect(crds()).toHaveLength(KINDS.length)
  for (const crd of crds()) {
    const file = readFileSync(new URL(`../../crds/${crd.metadata.name}.yaml`, import.meta.url), 'utf8')
    expect(parse(file)).toEqual(JSON.parse(JSON.stringify(crd)))
  }
})

test('the default of a mapping holds the defaults of its fields: its rules are evaluated on it as written', () => {
  const ports = crd('Mesh').spec.versions[0]?.schema.openAPIV3Schema.properties.spec.properties?.ports
  expect(ports?.default).toEqual({
    ...{ wireguard: 51820, command: 8090, telemetry: 8091, sync: 8092 },
    ...{ pairing: 9202, holding: 9443 },
  })
})
