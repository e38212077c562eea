// JSON Canonicalization Scheme, RFC 8785: one byte form for each JSON value, so that it can be hashed and signed.
import { PpnError } from './errors.ts'

/** Deeper nesting is refused: what comes from the network must not exhaust the stack. */
const MAX_DEPTH = 64

const refuse = (why: string, cause?: unknown): never => {
  throw new PpnError('NotCanonical', { why }, { cause })
}

/** Printable ASCII without quote and backslash: needs no escaping, and has no surrogate. Most strings are. */
const PLAIN = /^[ !#-[\]-~]*$/

function text(value: string): string {
  if (PLAIN.test(value)) return `"${value}"`
  // RFC 8785 section 3.2.2.2: a lone surrogate has no UTF-8 form.
  if (!value.isWellFormed()) refuse('a string holds a lone surrogate')
  return JSON.stringify(value)
}

function object(value: object, depth: number): string {
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) refuse('an object is not plain data')
  const record = value as Record<string, unknown>
  // The default order of sort() is by UTF-16 code units, as section 3.2.3 asks.
  let members = ''
  for (const key of Object.keys(record).sort())
    members += `${members === '' ? '' : ','}${text(key)}:${serialise(record[key], depth + 1)}`
  return `{${members}}`
}

function array(value: readonly unknown[], depth: number): string {
  const items: string[] = []
  for (let i = 0; i < value.length; i++) items.push(serialise(value[i], depth + 1))
  return `[${items.join(',')}]`
}

function serialise(value: unknown, depth: number): string {
  if (depth > MAX_DEPTH) refuse(`nested deeper than ${MAX_DEPTH}`)
  switch (typeof value) {
    case 'string':
      return text(value)
    case 'boolean':
      return String(value)
    case 'number':
      // Section 3.2.2.3: Number::toString of ECMAScript; -0 becomes 0.
      return Number.isFinite(value) ? String(value) : refuse(`${value} is no JSON number`)
    case 'object':
      if (value === null) return 'null'
      return Array.isArray(value) ? array(value, depth) : object(value, depth)
    default:
      return refuse(`a value of type ${typeof value}`)
  }
}

/**
 * The canonical UTF-8 bytes of a JSON value. Throws NotCanonical for whatever JSON cannot say: undefined, NaN, lone
 * surrogates, objects other than plain ones, nesting deeper than 64.
 */
export function canonicalBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(serialise(value, 0))
}

/**
 * JSON.stringify writes numbers and strings as RFC 8785 does and keeps the order of keys, so that of most texts only
 * that order is left to be looked at. False says nothing: of escapes (there may be a lone surrogate) and of keys that
 * are integers (which the engine puts first) `serialise` knows.
 */
function isPlainlyCanonical(value: unknown, given: string): boolean {
  return !given.includes('\\u') && hasSortedKeys(value, 0) && JSON.stringify(value) === given
}

function hasSortedKeys(value: unknown, depth: number): boolean {
  if (depth > MAX_DEPTH) return false
  if (typeof value !== 'object' || value === null) return true
  if (Array.isArray(value)) return value.every((item) => hasSortedKeys(item, depth + 1))
  let before: string | undefined
  for (const key of Object.keys(value)) {
    if (before !== undefined && key <= before) return false
    if (!hasSortedKeys((value as Record<string, unknown>)[key], depth + 1)) return false
    before = key
  }
  return true
}

/** The value of canonical bytes. Throws NotCanonical for any other byte form of it, duplicate keys included. */
export function parseCanonical(bytes: Uint8Array): unknown {
  let given: string
  let value: unknown
  try {
    given = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    value = JSON.parse(given)
  } catch (cause) {
    return refuse('no JSON', cause)
  }
  // Texts are compared, not bytes: well-formed UTF-8 has one text, and a text one UTF-8 form.
  if (!isPlainlyCanonical(value, given) && serialise(value, 0) !== given) refuse('the same value has another byte form')
  return value
}

/** A copy in which an object's member that is undefined is absent: the two mean the same in our types. */
export function withoutUndefined<T>(value: T): T {
  if (Array.isArray(value)) return value.map(withoutUndefined) as T
  if (typeof value !== 'object' || value === null) return value
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return value
  const present = Object.entries(value).filter(([, member]) => member !== undefined)
  return Object.fromEntries(present.map(([key, member]) => [key, withoutUndefined(member)])) as T
}
