// The bytes of one file to definitions and problems. A file that is not YAML is bad as a whole; a document that is
// YAML but no sound object is bad alone.
import { type Document, LineCounter, parseAllDocuments } from 'yaml'
import type { ErrorCode } from '../../base/errors.ts'
import { duplicateKey } from '../../base/yaml-keys.ts'
import { type ReadPlace, readDocuments } from '../common/documents.ts'
import { type ProblemPlace, problemOf } from '../common/problem.ts'
import { locateIn } from './locate.ts'
import { parsePlainYaml } from './plain-yaml.ts'

/** Far above any fleet in one file (10,000 objects are 5 MB); below what would stop the control plane for long. */
export const FILE_LIMIT_BYTES = 16 * 1024 * 1024

/** Nodes that the aliases of one document may stand for. */
const ALIAS_LIMIT = 100

function bad(code: ErrorCode, details: Record<string, unknown>, where: ProblemPlace): ReadPlace {
  return { definitions: [], spoilt: [], unread: true, problems: [problemOf(code, details, where)] }
}

function plainOf(document: Document): unknown {
  return document.toJS({ maxAliasCount: ALIAS_LIMIT })
}

/** Only the first line: the library adds an excerpt below it. */
const firstLine = (message: string) => message.split('\n', 1)[0]!.replace(/ at line \d+, column \d+:?$/, '')

function parseText(file: string, text: string): ReadPlace {
  const simple = parsePlainYaml(text)
  if (simple) return readDocuments(file, simple, locateIn(file, text))
  const lineCounter = new LineCounter()
  const documents = parseAllDocuments(text, { lineCounter, uniqueKeys: false, logLevel: 'error' }) as Document[]
  const error = documents.flatMap(({ errors }) => errors)[0]
  if (error) {
    const { line = 1, col = 1 } = error.linePos?.[0] ?? {}
    return bad('YamlSyntax', { what: firstLine(error.message) }, { at: { file, line, column: col } })
  }
  const twice = documents.map(duplicateKey).find((offset) => offset !== undefined)
  if (twice !== undefined) {
    const { line, col } = lineCounter.linePos(twice)
    return bad('YamlSyntax', { what: 'Map keys must be unique' }, { at: { file, line, column: col } })
  }
  const locate = locateIn(file, text)
  const plain: unknown[] = []
  for (const [index, document] of documents.entries()) {
    try {
      plain.push(plainOf(document))
    } catch (failure) {
      // ReferenceError: too many aliases, or one to nowhere.
      if (!(failure instanceof ReferenceError)) throw failure
      return bad('YamlAliases', {}, { at: locate(index, [], 'key') })
    }
  }
  return readDocuments(file, plain, locate)
}

/** Never throws: whatever is wrong with the bytes is a problem. `file` is the name shown. */
export function parseFile(file: string, bytes: Uint8Array): ReadPlace {
  if (bytes.length > FILE_LIMIT_BYTES) return bad('FileTooLong', { limit: FILE_LIMIT_BYTES }, { file })
  let text: string
  try {
    // Takes a byte order mark away.
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return bad('NotUtf8', {}, { file })
  }
  try {
    return parseText(file, text)
  } catch (failure) {
    // The parser is recursive: too many brackets exhaust the stack.
    if (failure instanceof RangeError) return bad('YamlTooDeep', {}, { file })
    throw failure
  }
}
