// What changed between two texts, line by line, as diff -u marks it; without line numbers, for they are of no file.

/** Unchanged lines shown around a change. */
const CONTEXT = 2

export interface DiffLine {
  mark: ' ' | '-' | '+'
  text: string
}

/** Longest common subsequence; both texts are specs, so short that the square of their length does not matter. */
function edits(before: readonly string[], after: readonly string[]): DiffLine[] {
  const width = after.length + 1
  const longest = new Uint32Array((before.length + 1) * width)
  for (let i = before.length - 1; i >= 0; i--)
    for (let j = after.length - 1; j >= 0; j--)
      longest[i * width + j] =
        before[i] === after[j]
          ? (longest[(i + 1) * width + j + 1] as number) + 1
          : Math.max(longest[(i + 1) * width + j] as number, longest[i * width + j + 1] as number)
  const lines: DiffLine[] = []
  let i = 0
  let j = 0
  while (i < before.length || j < after.length) {
    const down = i < before.length ? (longest[(i + 1) * width + j] as number) : -1
    const right = j < after.length ? (longest[i * width + j + 1] as number) : -1
    if (i < before.length && j < after.length && before[i] === after[j]) {
      lines.push({ mark: ' ', text: before[i++] as string })
      j++
    } else if (down >= right) lines.push({ mark: '-', text: before[i++] as string })
    else lines.push({ mark: '+', text: after[j++] as string })
  }
  return lines
}

const linesOf = (text: string) => (text === '' ? [] : text.replace(/\n$/, '').split('\n'))

/** The changed lines with a little around them; empty when the texts are equal. A gap is one line `...`. */
export function unified(before: string, after: string): DiffLine[] {
  const lines = edits(linesOf(before), linesOf(after))
  const near = lines.map((_, at) =>
    lines.slice(Math.max(0, at - CONTEXT), at + CONTEXT + 1).some((l) => l.mark !== ' '),
  )
  if (!near.includes(true)) return []
  return lines.flatMap((line, at): DiffLine[] => {
    if (near[at]) return [line]
    return at > 0 && near[at - 1] && near.indexOf(true, at) > 0 ? [{ mark: ' ', text: '...' }] : []
  })
}
