// QMP is one JSON object a line (docs/interop/qmp-spec.txt of QEMU, 2.1: CRLF after each).

/** No answer of the commands we use comes near this; what is longer is not QEMU speaking. */
export const LONGEST_LINE_CHARS = 1024 * 1024

/** What is no JSON object, or too long. */
export class BadLine extends Error {}

/** Cuts a stream into objects: call it with each piece of text as it comes. Throws BadLine; the stream is then useless. */
export function jsonLines(take: (object: Record<string, unknown>) => void): (text: string) => void {
  let rest = ''
  return (text) => {
    // Only what is new is searched: a line that comes in crumbs costs no more than one that comes at once.
    let from = 0
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', from)) {
      const line = (rest + text.slice(from, end)).trim()
      rest = ''
      from = end + 1
      if (line !== '') take(parse(line))
    }
    rest += text.slice(from)
    if (rest.length > LONGEST_LINE_CHARS) throw new BadLine('a line without an end')
  }
}

function parse(line: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    throw new BadLine('a line that is no JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new BadLine('a line that is no object')
  return value as Record<string, unknown>
}
