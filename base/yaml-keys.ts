// The yaml package compares every key of a mapping with every other: sixteen thousand keys in a file of 300 KB take it
// a quarter of a minute. Parse with `uniqueKeys: false` and ask here, which takes time in proportion.
import { type Document, isMap, isNode, isPair, isScalar, isSeq } from 'yaml'

/** Offset of the first key that its mapping already has; undefined: every key is there once. */
export function duplicateKey(document: Document): number | undefined {
  const todo: unknown[] = [document.contents]
  let first: number | undefined
  for (let node = todo.pop(); node !== undefined; node = todo.pop()) {
    if (isPair(node)) todo.push(node.key, node.value)
    if (!isMap(node) && !isSeq(node)) continue
    // One by one: a hundred thousand arguments exhaust the stack.
    for (const item of node.items) todo.push(item)
    if (!isMap(node)) continue
    const seen = new Set<unknown>()
    for (const { key } of node.items) {
      if (!isScalar(key)) continue
      const at = isNode(key) ? (key.range?.[0] ?? 0) : 0
      if (seen.has(key.value)) first = Math.min(first ?? at, at)
      seen.add(key.value)
    }
  }
  return first
}
