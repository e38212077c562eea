// The YAML that fleets are written in, read fast: block mappings and sequences of one-line scalars. It is a tenth of
// the time and garbage of the full parser, which still reads whatever is not obviously of this kind, and everything
// with a fault in it. Guarantee: what this returns is exactly what the full parser returns.

interface Line {
  indent: number
  text: string
}

/** Thrown inside, never out: this text is for the full parser. */
class NotPlain extends Error {}

const DEEPEST = 32
const KEY = /^([A-Za-z_][A-Za-z0-9_./-]*):(?: (\S.*))?$/
/** No indicator at its beginning, no `: ` and no ` #` in it, no blank at its end (YAML 1.2, 7.3.3). */
const PLAIN =
  /^(?:[A-Za-z0-9_./]|[-+](?=[A-Za-z0-9]))(?:[!"$%&'()*+,./0-9;<=>?@A-Z\\^_`a-z|~-]|:(?=[^ ])|#| (?=[^ #]))*$/
const DOUBLE_QUOTED = /^"([^"\\\p{Cc}]*)"$/u
const SINGLE_QUOTED = /^'([^'\p{Cc}]*)'$/u
/** The core schema (YAML 1.2, 10.3.2): what looks like a number and is no plain small integer is left alone. */
const INTEGER = /^[-+]?[0-9]+$/
const SMALL_INTEGER = /^-?[1-9][0-9]{0,14}$|^0$/
const ODD_NUMBER =
  /^(?:0o[0-7]+|0x[0-9a-fA-F]+|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)|[-+]?(?:\.[0-9]+|[0-9]+\.?[0-9]*)(?:[eE][-+]?[0-9]+)?)$/
const WORDS = new Map<string, boolean | null>([
  ...['true', 'True', 'TRUE'].map((word) => [word, true] as const),
  ...['false', 'False', 'FALSE'].map((word) => [word, false] as const),
  ...['null', 'Null', 'NULL', '~'].map((word) => [word, null] as const),
])

function scalar(text: string): unknown {
  if (text === '{}') return {}
  if (text === '[]') return []
  const quoted = DOUBLE_QUOTED.exec(text) ?? SINGLE_QUOTED.exec(text)
  if (quoted) return quoted[1]
  if (!PLAIN.test(text)) throw new NotPlain()
  const word = WORDS.get(text)
  if (word !== undefined) return word
  if (SMALL_INTEGER.test(text)) return Number(text)
  if (INTEGER.test(text) || ODD_NUMBER.test(text)) throw new NotPlain()
  return text
}

/** Reads the lines of one document from top to bottom. */
class Reader {
  private at = 0
  private readonly lines: Line[]

  constructor(lines: Line[]) {
    this.lines = lines
  }

  document(): unknown {
    if (this.lines.length === 0) return null
    const value = this.block(this.lines[0]!.indent, 0)
    if (this.at < this.lines.length) throw new NotPlain()
    return value
  }

  private block(indent: number, depth: number): unknown {
    if (depth > DEEPEST) throw new NotPlain()
    return this.lines[this.at]!.text.startsWith('- ') ? this.sequence(indent, depth) : this.mapping(indent, depth)
  }

  private mapping(indent: number, depth: number): Record<string, unknown> {
    const result: Record<string, unknown> = {}
    for (let line = this.lines[this.at]; line?.indent === indent; line = this.lines[this.at]) {
      const [, key, rest] = KEY.exec(line.text) ?? []
      if (key === undefined || WORDS.has(key) || key in result) throw new NotPlain()
      this.at++
      result[key] = rest === undefined ? this.below(indent, depth) : scalar(rest)
      this.noDeeper(indent)
    }
    return result
  }

  private sequence(indent: number, depth: number): unknown[] {
    const result: unknown[] = []
    for (let line = this.lines[this.at]; line?.indent === indent; line = this.lines[this.at]) {
      if (!line.text.startsWith('- ')) break
      const text = line.text.slice(2)
      if (KEY.test(text)) {
        // The mapping begins on the line of its dash, two columns further in.
        this.lines[this.at] = { indent: indent + 2, text }
        result.push(this.mapping(indent + 2, depth + 1))
      } else {
        this.at++
        result.push(scalar(text))
      }
      this.noDeeper(indent)
    }
    return result
  }

  /** The value of a key whose line ends after the colon: what is further in, or a sequence at the same column. */
  private below(indent: number, depth: number): unknown {
    const next = this.lines[this.at]
    if (!next || next.indent < indent) return null
    if (next.indent > indent) return this.block(next.indent, depth + 1)
    return next.text.startsWith('- ') ? this.sequence(indent, depth + 1) : null
  }

  /** A line further in than it may be continues a scalar, or is a fault. */
  private noDeeper(indent: number): void {
    if ((this.lines[this.at]?.indent ?? 0) > indent) throw new NotPlain()
  }
}

function indentOf(line: string): number {
  let indent = 0
  while (line[indent] === ' ') indent++
  return indent
}

/** Lines that say something, by document. A document begins with `---` or with its first such line. */
function split(text: string): Line[][] {
  const documents: Line[][] = []
  let current: Line[] | undefined
  const begin = () => {
    const lines: Line[] = []
    documents.push(lines)
    return lines
  }
  for (const line of text.split('\n')) {
    const indent = indentOf(line)
    if (line === '' || line[indent] === '#') continue
    if (line === '---') current = begin()
    else if (line.endsWith(' ') || /^(?:---|\.\.\.|%)/.test(line)) throw new NotPlain()
    else {
      current ??= begin()
      current.push({ indent, text: line.slice(indent) })
    }
  }
  return documents
}

/** The documents of `text` as plain JSON, or undefined when the full parser has to look. */
export function parsePlainYaml(text: string): unknown[] | undefined {
  // Control characters, tabs and other line ends: rare, and full of rules.
  if (/[\p{Cc}\u0085\u2028\u2029\ufeff]/u.test(text.replaceAll('\n', ''))) return undefined
  try {
    return split(text).map((lines) => new Reader(lines).document())
  } catch (error) {
    if (error instanceof NotPlain) return undefined
    throw error
  }
}
