/** Where `key` is, or belongs, in a sorted array of strings (code unit order). */
export function indexIn(sorted: readonly string[], key: string): { index: number; found: boolean } {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sorted[middle]! < key) low = middle + 1
    else high = middle
  }
  return { index: low, found: sorted[low] === key }
}
