// A settings file of one YAML document, checked against a schema, every fault named by line and column.
import { type Document, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument } from 'yaml'
import type { z } from 'zod'
import { PpnError, type SourceLocation } from './errors.ts'
import { duplicateKey } from './yaml-keys.ts'

interface Fault {
  what: string
  at: SourceLocation
}

/** Offset of the value at `path`, or of the nearest parent that is written; of a key that is not known, the key. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number {
  let at: unknown = document.contents
  let offset = isNode(at) ? (at.range?.[0] ?? 0) : 0
  for (const step of path) {
    const pair = isMap(at) ? at.items.find(({ key }) => isScalar(key) && String(key.value) === String(step)) : undefined
    const next: unknown = pair ? pair.value : isSeq(at) ? at.items[Number(step)] : undefined
    if (next === undefined) return offset
    const where = [next, pair?.key].find((node) => isNode(node) && node.range)
    if (isNode(where)) offset = where.range?.[0] ?? offset
    at = next
  }
  return offset
}

function faultsOf(issue: z.core.$ZodIssue): { what: string; path: readonly PropertyKey[] }[] {
  if (issue.code !== 'unrecognized_keys')
    return [{ what: `${issue.path.join('.')}: ${issue.message}`, path: issue.path }]
  return issue.keys.map((key) => ({
    what: `${[...issue.path, key].join('.')}: there is no such setting`,
    path: issue.path,
  }))
}

/**
 * The settings of `text`, defaults filled in; an empty text means all defaults. Throws SettingsInvalid at the first
 * fault, with the others in its message.
 */
export function parseSettings<S extends z.ZodType>(file: string, text: string, schema: S): z.output<S> {
  const lines = new LineCounter()
  const { document, plain } = readable(file, () => {
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false })
    return { document, plain: document.errors.length > 0 ? undefined : document.toJS() }
  })
  const place = (offset: number): SourceLocation => {
    const { line, col } = lines.linePos(offset)
    return { file, line: Math.max(1, line), column: Math.max(1, col) }
  }
  const syntax = document.errors.map((error) => ({ what: error.message, at: place(error.pos[0]) }))
  if (syntax.length > 0) throw invalid(syntax)
  const twice = duplicateKey(document as Document)
  if (twice !== undefined) throw invalid([{ what: 'Map keys must be unique', at: place(twice) }])
  const read = schema.safeParse(plain ?? {})
  if (read.success) return read.data
  throw invalid(
    read.error.issues
      .flatMap(faultsOf)
      .map(({ what, path }) => ({ what, at: place(offsetOf(document as Document, path)) })),
  )
}

/** Aliases that stand for thousands of nodes (ReferenceError), brackets that exhaust the stack (RangeError). */
function readable<T>(file: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof ReferenceError || error instanceof RangeError)) throw error
    throw invalid([{ what: 'nested or repeated beyond what settings are', at: { file, line: 1, column: 1 } }])
  }
}

function invalid(faults: readonly Fault[]): PpnError {
  const [first, ...others] = faults
  const more = others.map(({ what, at }) => `; line ${at.line}:${at.column}: ${what}`).join('')
  return new PpnError('SettingsInvalid', { what: `${first?.what}${more}` }, first && { at: first.at })
}
