// From a path in a document to line and column. A file is parsed a second time for it, and only when asked.
import { type Document, isMap, isNode, isScalar, isSeq, LineCounter, type Pair, parseAllDocuments } from 'yaml'
import type { Locate } from '../common/documents.ts'

function pairOf(node: unknown, key: string | number): Pair | undefined {
  if (!isMap(node)) return undefined
  return node.items.find((pair) => isScalar(pair.key) && String(pair.key.value) === String(key)) as Pair | undefined
}

const startOf = (node: unknown): number | undefined => (isNode(node) ? node.range?.[0] : undefined)

/** Offset of the field, or of the nearest parent that is written. */
function offsetOf(document: Document, path: readonly (string | number)[], what: 'key' | 'value'): number {
  let at: unknown = document.contents
  // A parent is shown by its key, where there is one: that is the line a person looks for.
  let offset = startOf(at) ?? document.range?.[0] ?? 0
  for (const [i, step] of path.entries()) {
    const pair = pairOf(at, step)
    const value = pair ? pair.value : isSeq(at) ? at.items[Number(step)] : undefined
    if (pair === undefined && value === undefined) return offset
    const last = i === path.length - 1
    offset = (last && what === 'value' ? startOf(value) : undefined) ?? startOf(pair?.key) ?? startOf(value) ?? offset
    at = value
  }
  return offset
}

/** Positions in `text`, which has been parsed without errors before. Columns count UTF-16 code units from 1. */
export function locateIn(file: string, text: string): Locate {
  let parsed: { documents: readonly Document[]; lines: LineCounter } | undefined
  return (index, path, what) => {
    if (!parsed) {
      const lines = new LineCounter()
      parsed = { documents: parseAllDocuments(text, { lineCounter: lines, uniqueKeys: false }) as Document[], lines }
    }
    const document = parsed.documents[index]
    const { line, col } = parsed.lines.linePos(document ? offsetOf(document, path, what) : 0)
    return { file, line: Math.max(1, line), column: Math.max(1, col) }
  }
}
