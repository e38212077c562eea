// Where zod and the API server judge differently by design. docs/kubernetes.md has the same table.
import type { PlainObject } from '../objects/base.ts'

/** A null property is the server's way to say that it is absent; in a folder it is a value of the wrong type. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== null)
      .map(([name, inner]) => [name, withoutNulls(inner)]),
  )
}

/** The object as zod must be given it to be asked what the server is asked. */
export const asTheServerReads = (object: PlainObject): PlainObject => withoutNulls(object) as PlainObject
