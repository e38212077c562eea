// From zod's JSON Schema (draft 2020-12) to a structural schema of apiextensions.k8s.io/v1.
import { z } from 'zod'

export interface StructuralSchema {
  type?: string
  description?: string
  properties?: Record<string, StructuralSchema>
  items?: StructuralSchema
  [keyword: string]: unknown
}

/** What zod emits and the API server does not take, or says in another way. */
const DROPPED = new Set(['$schema', 'additionalProperties', 'id'])
/** Order in which keywords are written, so that a diff reads well; others follow by name. */
const ORDER = [
  'description',
  'type',
  'format',
  'default',
  'enum',
  'pattern',
  'minLength',
  'maxLength',
  'minimum',
  'maximum',
]

/**
 * Unknown fields are pruned by the server when `additionalProperties` is absent; strict field validation reports
 * them. An `integer` gets format int64. Pattern escapes that only JavaScript's printer makes are undone.
 */
function structural(node: Record<string, unknown>): StructuralSchema {
  const out: Record<string, unknown> = {}
  const keywords = Object.keys(node).sort((a, b) => rank(a) - rank(b) || a.localeCompare(b))
  for (const keyword of keywords) {
    const value = node[keyword]
    if (DROPPED.has(keyword)) continue
    if (keyword === 'properties') {
      out.properties = Object.fromEntries(
        Object.entries(value as Record<string, Record<string, unknown>>).map(([name, child]) => [
          name,
          structural(child),
        ]),
      )
    } else if (keyword === 'items') out.items = structural(value as Record<string, unknown>)
    else if (keyword === 'pattern')
      out.pattern = node.format === 'date-time' ? undefined : (value as string).replaceAll('\\/', '/')
    else out[keyword] = value
  }
  if (out.type === 'integer') out.format = 'int64'
  if (out.default !== undefined) out.default = filled(out.default, out)
  for (const keyword of Object.keys(out)) if (out[keyword] === undefined) delete out[keyword]
  return out
}

/**
 * A default of a mapping with the defaults of its fields in it. The API server fills them in as well, yet evaluates the
 * rules of the mapping on its default as written, and refuses the CRD when that lacks a field.
 */
function filled(value: unknown, schema: StructuralSchema): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const all: Record<string, unknown> = { ...value }
  for (const [name, child] of Object.entries(schema.properties ?? {})) {
    const inner = all[name] === undefined ? child.default : filled(all[name], child)
    if (inner !== undefined) all[name] = inner
  }
  return all
}

function rank(keyword: string): number {
  const at = ORDER.indexOf(keyword)
  return at < 0 ? ORDER.length : at
}

/** The schema of what an author may write (`input`: defaults are optional). */
export function structuralSchema(schema: z.ZodType): StructuralSchema {
  return structural(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'throw' }) as Record<string, unknown>)
}
