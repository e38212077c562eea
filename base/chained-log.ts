// An append-only file of JSON lines, each bound to the one before by a hash (and, if asked, signed), so that a
// change of any earlier line shows. A line is canonical JSON:
//   {"entry":{...},"hash":H,"n":N,"prev":P}            an entry
//   {"hash":H,"n":N,"prev":P,"torn":{"bytes":B,"hash":T}}   seals B bytes, of SHA-256 T, that a crash left behind
// with "signature" (base64) when the log is signed. H is SHA-256 over the canonical JSON of the line without hash and
// signature, which are also the bytes that are signed. P of the first line is 64 zeros.
import { createHash } from 'node:crypto'
import { canonicalBytes, parseCanonical, withoutUndefined } from './canonical-json.ts'
import { PpnError } from './errors.ts'
import type { Files } from './files.ts'

export interface ChainHead {
  /** Lines so far, torn ones included. */
  count: number
  /** SHA-256 of the last line, 64 hex digits; zeros when there is none. */
  hash: string
}

interface ChainLine<E extends object = Record<string, unknown>> {
  n: number
  hash: string
  entry: E
}

export interface ChainedLogOptions {
  sign?: (bytes: Uint8Array) => Uint8Array
  /** With it, a line without a good signature breaks the chain. */
  verify?: (bytes: Uint8Array, signature: Uint8Array) => boolean
  /** The file goes on a chain of which this is the head; the beginning of one when absent. */
  after?: ChainHead
}

export interface ChainedLog {
  /** Resolves when the line would survive a power cut. Concurrent calls are written in the order of the calls. */
  append(entry: object): Promise<ChainHead>
  /** As many lines in one durable write; a crash may leave the first few of them. */
  appendAll(entries: readonly object[]): Promise<ChainHead>
  /** After the last append that has resolved. */
  head(): ChainHead
  /** Every entry, read and verified anew; the log itself keeps none in memory. Throws ChainBroken. */
  entries(): Promise<ChainLine[]>
  /** Reads and verifies the whole file anew. Throws ChainBroken, naming the line. */
  verify(): Promise<ChainHead>
}

/** As it stands in the file, unproved. */
export interface Line {
  n: number
  prev: string
  entry?: Record<string, unknown>
  torn?: { bytes: number; hash: string }
  hash: string
  signature?: string
}

/** What a chain breaks by; in the details of ChainBroken as `fault`. */
export type ChainFault =
  /** Not JSON in canonical form, and not the beginning of such a line either. */
  | 'NotALine'
  /** Lines are missing, or in another order. */
  | 'OutOfOrder'
  /** Another line of a number that was there already, after the same line: two histories. */
  | 'Fork'
  /** Does not name the line before. */
  | 'NotLinked'
  | 'Changed'
  /** No signature, or not of the key expected. */
  | 'BadSignature'
  /** Bytes that no line accounts for, or a torn line that seals others. */
  | 'Unsealed'

/** A file looked through to its end, or to the first line that is wrong. */
export interface ChainReport {
  head: ChainHead
  lines: ChainLine[]
  /** Lines that seal what a crash left, by their place in the file. */
  torn: { line: number; bytes: number }[]
  /** Bytes of an incomplete last line, which the next start will seal. */
  looseBytes: number
  fault?: { line: number; fault: ChainFault; why: string }
}

interface Scan {
  head: ChainHead
  lines: ChainLine[]
  torn: { line: number; bytes: number }[]
  /** Bytes at the end that no complete line holds and no torn line seals. */
  loose: Uint8Array
  /** The last line is whole but for its newline. */
  unended: boolean
}

const NEWLINE = 0x0a
const NEWLINE_BYTES = Uint8Array.of(NEWLINE)
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** Undefined: no line of such a log. Only that `n` is a whole number is sure. */
export function asLine(bytes: Uint8Array): Line | undefined {
  try {
    const value = parseCanonical(bytes)
    const line = typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Line) : undefined
    // An object in its place may refuse to be counted with.
    return Number.isInteger(line?.n) ? line : undefined
  } catch {
    return undefined
  }
}

/** How a whole line ends: by its last member in canonical order, closed. */
const WHOLE_END = /("prev":"[0-9a-f]{64}"|"signature":"[^"]*"|"torn":\{"bytes":\d+,"hash":"[0-9a-f]{64}"\})\}$/

/** Whether these bytes, which are no line, cannot be the beginning of one that a crash cut short: somebody changed them. */
function wasChanged(bytes: Uint8Array): boolean {
  const text = Buffer.from(bytes).toString('utf8')
  if (WHOLE_END.test(text)) return true
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** What the line's hash has to be. */
export const hashOf = ({ hash: _, signature: __, ...body }: Line): string => sha256(canonicalBytes(body))

const emptyScan = ({ after = CHAIN_START }: ChainedLogOptions): Scan => ({
  head: after,
  lines: [],
  torn: [],
  loose: new Uint8Array(),
  unended: false,
})

/** Fills `result` as far as the file holds. Throws ChainBroken at the first line that does not. */
function scan(file: Uint8Array, name: string, options: ChainedLogOptions, result = emptyScan(options)): Scan {
  const { verify, after = CHAIN_START } = options
  const hashes = new Map([[after.count, after.hash]])
  /** Where the bytes begin that no good line has claimed. */
  let looseFrom = 0
  let number = 0
  const broken = (fault: ChainFault, why: string): never => {
    throw new PpnError('ChainBroken', { name, line: number, fault, why })
  }

  for (let from = 0; from < file.length; ) {
    const newline = file.indexOf(NEWLINE, from)
    const end = newline < 0 ? file.length : newline
    number++
    const bytes = file.subarray(from, end)
    const line = asLine(bytes)
    if (line) {
      const { hash, signature, ...body } = line
      const { head } = result
      const signed = canonicalBytes(body)
      const isSigned = () =>
        typeof signature === 'string' && verify?.(signed, Buffer.from(signature, 'base64')) === true
      if (line.n !== head.count + 1) {
        const second = hash === sha256(signed) && hash !== hashes.get(line.n) && line.prev === hashes.get(line.n - 1)
        if (second && (!verify || isSigned())) broken('Fork', `is a second line ${line.n}: the log has two histories`)
        broken('OutOfOrder', `numbered ${line.n}, not ${head.count + 1}`)
      }
      if (line.prev !== head.hash) broken('NotLinked', 'does not follow from the line before')
      if (hash !== sha256(signed)) broken('Changed', 'is not what its hash was taken of')
      if (verify && !isSigned()) broken('BadSignature', 'is not signed by the key expected')
      // The newline before a torn line is part of the seal's own write, hence not of the sealed bytes.
      const loose = file.subarray(looseFrom, Math.max(looseFrom, from - 1))
      if (line.torn) {
        if (loose.length !== line.torn.bytes || sha256(loose) !== line.torn.hash)
          broken('Unsealed', 'seals other bytes')
        result.torn.push({ line: number, bytes: line.torn.bytes })
      } else {
        if (from !== looseFrom) broken('Unsealed', 'follows bytes that no line accounts for')
        if (typeof line.entry !== 'object' || line.entry === null) broken('Changed', 'holds no entry')
        result.lines.push({ n: line.n, hash, entry: line.entry as Record<string, unknown> })
      }
      result.head = { count: line.n, hash }
      hashes.set(line.n, hash)
      looseFrom = Math.min(end + 1, file.length)
      result.unended = newline < 0
    } else if (wasChanged(bytes)) broken('NotALine', 'is not a line of this log')
    from = end + 1
  }
  result.loose = file.subarray(looseFrom)
  return result
}

/** What a file's first line says it goes on from, unproved; undefined when no whole line is first. */
export function headBefore(file: Uint8Array): ChainHead | undefined {
  const newline = file.indexOf(NEWLINE)
  const line = newline < 0 ? undefined : asLine(file.subarray(0, newline))
  return line && { count: line.n - 1, hash: line.prev }
}

/** Looks a file through and says what it holds and what is wrong with it. Never throws, whatever the bytes are. */
export function inspectChain(file: Uint8Array, name: string, options: ChainedLogOptions): ChainReport {
  const found = emptyScan(options)
  const report = () => ({ head: found.head, lines: found.lines, torn: found.torn, looseBytes: found.loose.length })
  try {
    scan(file, name, options, found)
    return report()
  } catch (error) {
    const { line, fault, why } = (error as PpnError).details as unknown as NonNullable<ChainReport['fault']>
    return { ...report(), fault: { line, fault, why } }
  }
}

/** The head of a file as it stands, verified; nothing is written. Throws ChainBroken. */
export async function verifyChain(files: Pick<Files, 'read'>, name: string, options: ChainedLogOptions) {
  return scan((await files.read(name)) ?? new Uint8Array(), name, options).head
}

/** The lines that go on from `head`, each ended by a newline, and the head after them. */
export function chainLines(
  head: ChainHead,
  bodies: readonly Pick<Line, 'entry' | 'torn'>[],
  sign?: ChainedLogOptions['sign'],
): { bytes: Uint8Array; head: ChainHead } {
  let next = head
  const bytes: Uint8Array[] = []
  for (const body of bodies) {
    const numbered = { ...body, n: next.count + 1, prev: next.hash }
    const unsigned = canonicalBytes(numbered)
    const hash = sha256(unsigned)
    const signature = sign && Buffer.from(sign(unsigned)).toString('base64')
    bytes.push(canonicalBytes({ ...numbered, hash, ...(signature !== undefined && { signature }) }), NEWLINE_BYTES)
    next = { count: numbered.n, hash }
  }
  return { bytes: Buffer.concat(bytes), head: next }
}

/** The lines of `entries` as they are hashed: what is undefined is not there. */
export const bodiesOf = (entries: readonly object[]): { entry: Record<string, unknown> }[] =>
  entries.map((entry) => ({ entry: withoutUndefined(entry) as Record<string, unknown> }))

/** The head of a chain that has no line yet. */
export const CHAIN_START: ChainHead = { count: 0, hash: '0'.repeat(64) }

/**
 * Opens or begins the log, verifying all of it (ChainBroken when it does not hold). An incomplete last line, which
 * only a crash leaves and nobody was told of, is sealed by a `torn` line: no byte is ever cut.
 */
export async function openChainedLog(files: Files, name: string, options: ChainedLogOptions = {}): Promise<ChainedLog> {
  let head = options.after ?? CHAIN_START
  /** After a failed write the file may hold part of a line: it is read again before the next one. */
  let stale = true
  let tail: Promise<unknown> = Promise.resolve()

  const read = async () => scan((await files.read(name)) ?? new Uint8Array(), name, options)

  const write = async (bodies: readonly Pick<Line, 'entry' | 'torn'>[], lead: string): Promise<void> => {
    const made = chainLines(head, bodies, options.sign)
    stale = true
    await files.append(name, Buffer.concat([Buffer.from(lead), made.bytes]))
    stale = false
    head = made.head
  }

  const refresh = async (): Promise<void> => {
    const found = await read()
    head = found.head
    if (found.unended) await files.append(name, Buffer.from('\n'))
    if (found.loose.length > 0) await write([{ torn: { bytes: found.loose.length, hash: sha256(found.loose) } }], '\n')
    stale = false
  }

  const appendAll = (entries: readonly object[]): Promise<ChainHead> => {
    const bodies = bodiesOf(entries)
    const run = tail.then(async () => {
      if (stale) await refresh()
      if (bodies.length > 0) await write(bodies, '')
      return head
    })
    tail = run.catch(() => undefined)
    return run
  }

  await refresh()
  return {
    append: (entry) => appendAll([entry]),
    appendAll,
    head: () => head,
    entries: async () => (await read()).lines,
    verify: async () => (await read()).head,
  }
}
