import { crd } from '../api/crd/crd.ts'
import type { StructuralSchema } from '../api/crd/structural.ts'
import { API_VERSION, KINDS, type Kind } from '../api/meta.ts'

interface CelRule {
  message: string
}

const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('<', '&lt;')
const code = (text: string) => `\`${text.replaceAll('|', '\\|')}\``
const rulesOf = (schema: StructuralSchema) => (schema['x-kubernetes-validations'] ?? []) as CelRule[]

function typeOf({ type, enum: values, items }: StructuralSchema): string {
  if (values) return (values as unknown[]).map((value) => code(String(value))).join(', ')
  return type === 'array' && items ? `list of ${typeOf(items)}` : String(type)
}

function range(low: unknown, high: unknown, unit: string): string | undefined {
  if (low === undefined && high === undefined) return undefined
  if (low === high) return `${low}${unit}`
  if (high === undefined) return `at least ${low}${unit}`
  return low === undefined ? `at most ${high}${unit}` : `${low} to ${high}${unit}`
}

/** Numbers as zod emits them for "any safe integer" bound nothing. */
const real = (bound: unknown) => (Math.abs(Number(bound)) === Number.MAX_SAFE_INTEGER ? undefined : bound)

function bounds(schema: StructuralSchema): string {
  const { type, minimum, maximum, minLength, maxLength, minItems, maxItems, pattern, items } = schema
  return [
    range(real(minimum), real(maximum), ''),
    range(minLength, maxLength, type === 'string' ? ' characters' : ''),
    range(minItems, maxItems, ' entries'),
    pattern === undefined ? undefined : code(String(pattern)),
    items && items.type !== 'object' && bounds(items) ? `each: ${bounds(items)}` : undefined,
    ...rulesOf(schema).map(({ message }) => cell(message)),
  ]
    .filter((text) => text !== undefined)
    .join('; ')
}

/** Told once, at the top of the page. */
const IN_EVERY_STATUS = new Set(['observedGeneration', 'conditions'])

/** A row for every field, parents before children; `path[]` goes into a list. */
function rows(schema: StructuralSchema, prefix: string): string[] {
  const required = new Set((schema.required ?? []) as string[])
  const fields = Object.entries(schema.properties ?? {}).filter(([name]) => !IN_EVERY_STATUS.has(name))
  return fields.flatMap(([name, field]) => {
    const path = `${prefix}${name}`
    const fallback = field.default === undefined ? (required.has(name) ? 'required' : '-') : code(json(field.default))
    const inside = field.items?.type === 'object' ? rows(field.items, `${path}[].`) : rows(field, `${path}.`)
    return [
      `| ${code(path)} | ${typeOf(field)} | ${fallback} | ${bounds(field) || '-'} | ${cell(about(field))} |`,
      ...inside,
    ]
  })
}

/** The schema's own text; the default has a column. */
const about = ({ description = '' }: StructuralSchema) => description.replace(/ Default \S+\.$/, '')
const json = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value))

function table(schema: StructuralSchema): string {
  return `| field | type | default | bounds | what it is |\n|---|---|---|---|---|\n${rows(schema, '').join('\n')}`
}

function section(kind: Kind): string {
  const { names, scope, versions } = crd(kind).spec
  const [{ schema, additionalPrinterColumns }] = versions as [(typeof versions)[number]]
  const root = schema.openAPIV3Schema
  const whole = [...rulesOf(root as StructuralSchema), ...rulesOf(root.properties.spec)].map((r) => r.message)
  const columns = additionalPrinterColumns.map(
    ({ name, priority, description }) => `${name}${priority > 0 ? ' (wide)' : ''}: ${cell(description)}`,
  )
  const shortNames = names.shortNames.map(code).join(', ')
  return `## ${kind}

${root.description} ${scope === 'Namespaced' ? 'Namespaced' : 'Cluster-scoped'}; ${code(names.plural)}, short ${shortNames}.

### ${kind} spec

${table(root.properties.spec)}
${whole.length > 0 ? `\nRules over the whole object:\n\n${whole.map((m) => `- ${cell(m)}`).join('\n')}\n` : ''}
### ${kind} status

${table(root.properties.status as StructuralSchema)}

Columns of \`ppn get ${names.plural}\`: ${columns.map((c) => c.replace(/\.$/, '')).join('; ')}.
`
}

/** docs/api.md: the five kinds, from the schemas that check them. */
export function generateApiDoc(): Map<string, string> {
  const page = `<!-- Generated from api/ by hack/generate-api-doc.ts. Do not edit. -->
# The five kinds

Group and version ${code(API_VERSION)}. Every object has \`apiVersion\`, \`kind\`, \`metadata\` (\`name\`, and for an Archive
\`namespace\`, default \`default\`; \`labels\`, \`annotations\`) and \`spec\`. A field that is not listed here is an error. The same
schemas are in \`crds/\` as CustomResourceDefinitions. What the conditions mean: [conditions.md](conditions.md). Every
status has \`observedGeneration\`, the generation of the spec that it speaks of, and \`conditions\` (\`type\`, \`status\`,
\`reason\`, \`message\`, \`observedGeneration\`, \`lastTransitionTime\`). How a folder of objects is read: [folder.md](folder.md).

${KINDS.map(section).join('\n')}`
  return new Map([['docs/api.md', page]])
}
