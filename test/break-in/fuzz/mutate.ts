// Valid inputs made wrong in ways that know what they are made of: bytes, lines of text, JSON values.
import { canonicalBytes } from '../../../base/canonical-json.ts'
import type { Chance } from './chance.ts'

/** What an input is made of, under its wrapping (a tag, a signature, a checksum). */
export type Shape = 'bytes' | 'text' | 'json' | 'lines'

/** No input grows beyond this: what longer ones do is the matter of the limits, which have tests of their own. */
const MOST_BYTES = 256 * 1024

const ODD_BYTES = [0, 1, 9, 10, 13, 32, 34, 45, 46, 47, 58, 91, 92, 93, 123, 125, 127, 128, 0xc0, 0xed, 0xf4, 254, 255]

function cutAt(bytes: Uint8Array, chance: Chance): [Uint8Array, Uint8Array] {
  const at = chance.upTo(bytes.length + 1)
  return [bytes.subarray(0, at), bytes.subarray(at)]
}

const STEPS: ((bytes: Uint8Array, chance: Chance) => Uint8Array)[] = [
  // A bit, a byte, a number of two or four bytes.
  (bytes, chance) => {
    const out = new Uint8Array(bytes)
    if (out.length > 0) out[chance.upTo(out.length)]! ^= 1 << chance.upTo(8)
    return out
  },
  (bytes, chance) => {
    const out = new Uint8Array(bytes)
    if (out.length > 0) out[chance.upTo(out.length)] = chance.pick(ODD_BYTES)
    return out
  },
  (bytes, chance) => {
    const out = new Uint8Array(bytes)
    const width = chance.pick([2, 4])
    if (out.length < width) return out
    const at = chance.upTo(out.length - width + 1)
    const odd = chance.pick([0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, out.length])
    for (let i = 0; i < width; i++) out[at + i] = odd >>> (8 * (width - 1 - i))
    return out
  },
  // Cut short, grown, a piece twice, a piece gone, two pieces changed about.
  (bytes, chance) => cutAt(bytes, chance)[0],
  (bytes, chance) => {
    const [before, after] = cutAt(bytes, chance)
    return Buffer.concat([before, chance.bytes(1 + chance.upTo(chance.oneIn(50) ? 4096 : 8)), after])
  },
  (bytes, chance) => {
    const [before, after] = cutAt(bytes, chance)
    return Buffer.concat([before, after.subarray(0, 1 + chance.upTo(64)), after])
  },
  (bytes, chance) => {
    const [before, after] = cutAt(bytes, chance)
    return Buffer.concat([before, after.subarray(1 + chance.upTo(16))])
  },
  (bytes, chance) => {
    const [before, after] = cutAt(bytes, chance)
    return Buffer.concat([after, before])
  },
]

function mutateBytes(bytes: Uint8Array, chance: Chance): Uint8Array {
  let out = bytes
  do out = chance.pick(STEPS)(out, chance)
  while (chance.oneIn(2))
  return out.length > MOST_BYTES ? out.subarray(0, MOST_BYTES) : out
}

const ODD_TEXTS = [
  ...[
    '',
    ' ',
    '\t',
    '\0',
    '%',
    '-',
    '--',
    '=',
    ':',
    '::',
    '/',
    '//',
    '..',
    '../..',
    '*',
    '&a',
    '*a',
    '<<',
    '!!js/x',
    '|',
    '>',
  ],
  ...['-0', '1e999', '0x10', '1_000', '٣', 'NaN', 'Infinity', 'null', '~', 'off', '(none)', 'yes', '4294967296'],
  ...[
    '9007199254740993',
    '-1',
    '00',
    '1.',
    '256.1.1.1',
    '::1',
    '[::1]:1',
    '\u2028',
    '\ufeff',
    '\ud800',
    '🦊',
    'ß',
    'İ',
  ],
  ...['__proto__', 'constructor', 'toString', 'length', '{', '}', '[', ']', '"', "'", '\\', '\\u0000', '$x', '$(x)'],
]

/** Lines and words are what text is made of. */
function mutateText(text: string, chance: Chance): string {
  if (chance.oneIn(4)) return Buffer.from(mutateBytes(Buffer.from(text), chance)).toString('utf8')
  const separator = chance.pick(['\n', '\n', ' ', '\t', ',', ':', '/', ''])
  const parts = separator === '' ? [...text] : text.split(separator)
  const at = chance.upTo(parts.length)
  const part = parts[at] ?? ''
  switch (chance.upTo(6)) {
    case 0:
      parts[at] = chance.pick(ODD_TEXTS)
      break
    case 1:
      parts.splice(at, 1)
      break
    case 2:
      parts.splice(at, 0, part)
      break
    case 3:
      parts[at] = part.replace(/\d+/, () => String(chance.pick(ODD_NUMBERS)))
      break
    case 4:
      parts.splice(at, 0, chance.pick(parts))
      break
    default:
      parts[at] = part.repeat(1 + chance.upTo(chance.oneIn(100) ? 2000 : 3))
  }
  const out = parts.join(separator)
  return out.length > MOST_BYTES ? out.slice(0, MOST_BYTES) : chance.oneIn(2) ? out : mutateText(out, chance)
}

const ODD_NUMBERS = [
  0,
  -0,
  1,
  -1,
  1.5,
  63,
  64,
  255,
  256,
  65_535,
  65_536,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 53,
  1e21,
  1e308,
]

function oddValue(chance: Chance): unknown {
  switch (chance.upTo(9)) {
    case 0:
      return null
    case 1:
      return chance.oneIn(2)
    case 2:
    case 3:
      return chance.pick(ODD_NUMBERS)
    case 4:
    case 5:
      return chance.pick(ODD_TEXTS)
    case 6:
      return 'a'.repeat(chance.pick([31, 32, 33, 44, 63, 64, 65, 88, 257, 2049]))
    case 7:
      return deep(chance.pick([1, 3, 63, 64, 65, chance.oneIn(10) ? 1000 : 5]), chance)
    default:
      return Object.fromEntries([[chance.pick(ODD_TEXTS), chance.pick(ODD_NUMBERS)]])
  }
}

function deep(levels: number, chance: Chance): unknown {
  let value: unknown = 0
  const inLists = chance.oneIn(2)
  for (let i = 0; i < levels; i++) value = inLists ? [value] : { a: value }
  return value
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The same value with one place changed: a member gone, renamed, of another type, an entry twice or a thousand times. */
export function mutateJson(value: unknown, chance: Chance): unknown {
  const inside = !chance.oneIn(4)
  if (Array.isArray(value)) {
    const at = chance.upTo(value.length)
    if (inside && value.length > 0) return value.with(at, mutateJson(value[at], chance))
    const copies = chance.pick([0, 2, 2, 3, chance.oneIn(20) ? 300 : 4])
    return value
      .flatMap((one, i) => (i === at ? Array.from({ length: copies }, () => one) : [one]))
      .concat(chance.oneIn(3) ? [oddValue(chance)] : [])
  }
  if (!isRecord(value))
    return chance.oneIn(8) && typeof value === 'string' ? mutateText(value, chance) : oddValue(chance)
  const entries = Object.entries(value)
  const at = chance.upTo(entries.length)
  const [name, member] = entries[at] ?? ['a', 0]
  if (inside && entries.length > 0) entries[at] = [name, mutateJson(member, chance)]
  else if (chance.oneIn(3)) entries.splice(at, 1)
  else if (chance.oneIn(2)) entries[at] = [chance.pick(ODD_TEXTS), member]
  else entries.push([chance.pick([...ODD_TEXTS, `${name}x`]), oddValue(chance)])
  return Object.fromEntries(entries)
}

/** Deeper than a program that calls itself can go. */
function bottomless(levels: number, chance: Chance): Uint8Array {
  const [open, close] = chance.pick([
    ['[', ']'],
    ['{"a":', '}'],
  ])
  return Buffer.from(`${open.repeat(levels)}0${chance.oneIn(2) ? close.repeat(levels) : ''}`)
}

/** Mostly the one canonical form, which gets past the first check; else what other programs would write. */
export function jsonBytes(value: unknown, chance: Chance): Uint8Array {
  if (!chance.oneIn(8)) {
    try {
      return canonicalBytes(value)
    } catch {
      // A lone surrogate, or too deep: JSON can say it, the canonical form cannot.
    }
  }
  if (chance.oneIn(50)) return bottomless(chance.pick([1_000, 10_000, 100_000]), chance)
  const plain = JSON.stringify(value)
  // Indented, a thousand levels would be a megabyte of blanks.
  const text = plain.length < 5_000 && chance.oneIn(3) ? JSON.stringify(value, undefined, 1) : plain
  // A member twice, of which a parser takes the last.
  return Buffer.from(chance.oneIn(4) ? text.replace(/^\{("[^"]*":)/, '{$1null,$1') : text)
}

/** One step away from `seed`, or a few. */
export function mutate(seed: Uint8Array, shape: Shape, chance: Chance): Uint8Array {
  switch (shape) {
    case 'bytes':
      return mutateBytes(seed, chance)
    case 'text':
      return Buffer.from(mutateText(Buffer.from(seed).toString('utf8'), chance))
    case 'json': {
      if (chance.oneIn(6)) return mutateBytes(seed, chance)
      let value: unknown = JSON.parse(Buffer.from(seed).toString('utf8'))
      do value = mutateJson(value, chance)
      while (chance.oneIn(2))
      return jsonBytes(value, chance)
    }
    case 'lines': {
      const lines = Buffer.from(seed).toString('utf8').split('\n')
      const at = chance.upTo(lines.length)
      const line = Buffer.from(lines[at] ?? '')
      const json = line.length > 0 && line[0] === 0x7b
      lines[at] = Buffer.from(mutate(line, json && !chance.oneIn(4) ? 'json' : 'text', chance)).toString('utf8')
      return Buffer.from(lines.join('\n'))
    }
  }
}
