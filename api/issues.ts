// zod's findings in the words of a person who edits YAML.
import type { z } from 'zod'
import { suggest } from './suggest.ts'

type IssueCode =
  | 'NotAnObject'
  | 'UnknownVersion'
  | 'UnknownKind'
  | 'UnknownField'
  | 'MissingField'
  | 'InvalidValue'
  | 'IgnoredField'

export interface Issue {
  /** Also a code of base/errors.ts. */
  code: IssueCode
  /** From the document's root: `['spec', 'memory', 'floor']`. */
  path: readonly (string | number)[]
  message: string
  /** What was most likely meant. */
  suggestion?: string
}

export function withSuggestion(issue: Issue, suggestion: string | undefined): Issue {
  return suggestion === undefined ? issue : { ...issue, suggestion }
}

interface Wrapped {
  shape?: Record<string, z.ZodType>
  element?: z.ZodType
  _zod: { def: { innerType?: z.ZodType } }
}

/** The schema below defaults and optionals, where fields are. */
function unwrap(schema: z.ZodType | undefined): Wrapped | undefined {
  let at = schema as Wrapped | undefined
  while (at?._zod.def.innerType) at = at._zod.def.innerType as unknown as Wrapped
  return at
}

/** The fields known at a path, or none where the schema has no fields. */
function fieldsAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let at = unwrap(schema)
  for (const step of path) at = unwrap(typeof step === 'number' ? at?.element : at?.shape?.[String(step)])
  return Object.keys(at?.shape ?? {})
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((at, step) => (at as Record<PropertyKey, unknown> | undefined)?.[step], value)
}

const dotted = (path: readonly PropertyKey[]) => path.map(String).join('.')

/** One zod issue may stand for several: each unknown key is an issue of its own. */
function readIssue(schema: z.ZodType, input: unknown, issue: z.core.$ZodIssue, prefix: readonly string[]): Issue[] {
  const path = [...prefix, ...issue.path] as (string | number)[]
  if (issue.code === 'unrecognized_keys') {
    const known = fieldsAt(schema, issue.path)
    const free = known.filter((field) => valueAt(input, [...issue.path, field]) === undefined)
    return issue.keys.map((key) =>
      withSuggestion(
        { code: 'UnknownField', path: [...path, key], message: `unknown field ${dotted([...path, key])}` },
        suggest(key, free),
      ),
    )
  }
  const value = valueAt(input, issue.path)
  if (value === undefined && issue.code !== 'custom')
    return [{ code: 'MissingField', path, message: `${dotted(path)} is missing` }]
  if (issue.code === 'invalid_value') {
    const allowed = issue.values.map(String)
    const message = `${dotted(path)} is not one of ${allowed.join(', ')}`
    // A mapping may refuse to be made a string of: `{toString: 0}`.
    const near = typeof value === 'object' ? undefined : suggest(String(value), allowed)
    return [withSuggestion({ code: 'InvalidValue', path, message }, near)]
  }
  // The value itself is not repeated: it may be a pairing code.
  const what = issue.message.charAt(0).toLowerCase() + issue.message.slice(1)
  return [{ code: 'InvalidValue', path, message: `${dotted(path)}: ${what}` }]
}

/** Everything a schema found wrong with `input`, paths beginning with `prefix`. */
export function issuesOf(
  schema: z.ZodType,
  input: unknown,
  error: z.core.$ZodError,
  prefix: readonly string[],
): Issue[] {
  return error.issues.flatMap((issue) => readIssue(schema, input, issue, prefix))
}
