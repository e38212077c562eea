// From the plain documents of one place (a file, mostly) to definitions and problems.
import type { Issue } from '../../api/issues.ts'
import { type ObjectDraft, parseObject } from '../../api/parse.ts'
import { PpnError, type SourceLocation } from '../../base/errors.ts'
import type { SourceProblem } from '../../controllers/ports/store.ts'
import { problemOf, problemOfIssue } from './problem.ts'
import type { Definition, FieldPath, SourceSnapshot, Spoilt } from './snapshot.ts'

export interface ReadPlace {
  definitions: readonly Definition[]
  spoilt: readonly Spoilt[]
  /** Not everything in it could be told by name. */
  unread: boolean
  problems: readonly SourceProblem[]
}

/** Where a field of the n-th document is; `what`: at its key or at its value. */
export type Locate = (document: number, path: FieldPath, what: 'key' | 'value') => SourceLocation

const pointsAtKey = ({ code }: Issue) => code === 'UnknownField' || code === 'IgnoredField'

interface Entry {
  plain: unknown
  /** Of the document it is in, and where in it. */
  index: number
  base: FieldPath
}

const isList = (plain: unknown): plain is { items?: unknown } => {
  const { apiVersion, kind } = (plain ?? {}) as { apiVersion?: unknown; kind?: unknown }
  return apiVersion === 'v1' && kind === 'List'
}

/** What `kubectl get -o yaml` prints is one document of kind List: its items count as documents of their own. */
function* entriesOf(plain: unknown, index: number, base: FieldPath = []): Generator<Entry> {
  if (!isList(plain) || !Array.isArray(plain.items)) return yield { plain, index, base }
  for (const [at, item] of plain.items.entries()) yield* entriesOf(item, index, [...base, 'items', at])
}

/** Each is looked for in the text; nobody mends more at a time. */
const MOST_ISSUES = 50

function firstOf(issues: readonly Issue[]): readonly Issue[] {
  const last = issues[MOST_ISSUES - 1]
  if (!last || issues.length === MOST_ISSUES) return issues
  const more = `${last.message} (and ${issues.length - MOST_ISSUES} more in this document)`
  return [...issues.slice(0, MOST_ISSUES - 1), { ...last, message: more }]
}

/** Reads documents that are JSON already. Empty ones (null) are skipped, Lists are opened. */
export function readDocuments(file: string, documents: readonly unknown[], locateDocument?: Locate): ReadPlace {
  const definitions: Definition[] = []
  const spoilt: Spoilt[] = []
  const problems: SourceProblem[] = []
  let unread = false
  const entries = documents.flatMap((plain, index) => (plain == null ? [] : [...entriesOf(plain, index)]))
  for (const { plain, index, base } of entries) {
    const locate: Locate | undefined =
      locateDocument && ((document, path, what) => locateDocument(document, [...base, ...path], what))
    if (isList(plain)) {
      unread = true
      problems.push(problemOf('ListWithoutItems', {}, { file, at: locate?.(index, ['items'], 'value') }))
      continue
    }
    const result = parseObject(plain)
    const note = (issue: Issue, key?: string) =>
      problems.push(
        problemOfIssue(issue, { key, file, at: locate?.(index, issue.path, pointsAtKey(issue) ? 'key' : 'value') }),
      )
    if (result.type === 'foreign') {
      const at = locate?.(index, ['kind'], 'value')
      problems.push(problemOf('ForeignObject', { ...result }, { file, at, severity: 'warning' }))
      continue
    }
    const key = result.type === 'object' ? result.draft.key : result.key
    for (const warning of result.warnings) note(warning, key)
    if (result.type === 'invalid') {
      for (const issue of firstOf(result.issues)) note(issue, key)
      if (result.key === undefined) unread = true
      else spoilt.push({ key: result.key, file })
      continue
    }
    const at = locate && ((path: FieldPath) => locate(index, path, 'value'))
    if (result.draft.kind === 'Pairing')
      problems.push(problemOf('ActInFolder', { key }, { key, file, at: at?.(['kind']), severity: 'warning' }))
    definitions.push({ draft: result.draft, file, ...(at ? { locate: at } : {}) })
  }
  return { definitions, spoilt, unread, problems }
}

/** All places together, in the order given. */
export function snapshotOf(places: readonly (readonly [file: string, place: ReadPlace])[]): SourceSnapshot {
  return {
    definitions: places.flatMap(([, { definitions }]) => definitions),
    spoilt: places.flatMap(([, { spoilt }]) => spoilt),
    unread: places.filter(([, { unread }]) => unread).map(([file]) => file),
    problems: places.flatMap(([, { problems }]) => problems),
  }
}

/** The draft of one object that must be sound. */
export function draftOrThrow(plain: unknown): ObjectDraft {
  const result = parseObject(plain)
  if (result.type === 'object') return result.draft
  if (result.type === 'foreign') throw new PpnError('ForeignObject', { ...result })
  throw new PpnError('InvalidObject', {
    key: result.key ?? 'the object',
    what: result.issues.map(({ message }) => message).join('; '),
  })
}
