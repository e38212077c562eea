import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canonicalBytes, parseCanonical, withoutUndefined } from './canonical-json.ts'
import { PpnError } from './errors.ts'

const text = (value: unknown) => Buffer.from(canonicalBytes(value)).toString('utf8')
const bytes = (json: string) => new TextEncoder().encode(json)

/** The double with these IEEE 754 bits. */
function double(hex: string): number {
  return Buffer.from(hex, 'hex').readDoubleBE(0)
}

describe('RFC 8785', () => {
  test('the sample of section 3.2.2 has the bytes of section 3.2.4', () => {
    const sample = JSON.parse(String.raw`{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }`)
    expect(Buffer.from(canonicalBytes(sample)).toString('hex')).toBe(
      '7b226c69746572616c73223a5b6e756c6c2c747275652c66616c73655d2c226e756d62657273223a5b333333333333333333' +
        '2e333333333333332c31652b33302c342e352c302e3030322c31652d32375d2c22737472696e67223a22e282ac245c753030' +
        '30665c6e4127425c225c5c5c5c5c222f227d',
    )
  })

  test('members are in the order of their UTF-16 code units (section 3.2.3)', () => {
    const sample = {
      '\u20ac': 'Euro Sign',
      '\r': 'Carriage Return',
      '\ufb33': 'Hebrew Letter Dalet With Dagesh',
      '1': 'One',
      '\ud83d\ude00': 'Emoji: Grinning Face',
      '\u0080': 'Control',
      '\u00f6': 'Latin Small Letter O With Diaeresis',
    }
    const order = [...text(sample).matchAll(/:"([^"]+)"/g)].map((match) => match[1])
    expect(order).toEqual([
      'Carriage Return',
      'One',
      'Control',
      'Latin Small Letter O With Diaeresis',
      'Euro Sign',
      'Emoji: Grinning Face',
      'Hebrew Letter Dalet With Dagesh',
    ])
  })

  // Appendix B.
  test.each([
    ['0000000000000000', '0'],
    ['8000000000000000', '0'],
    ['0000000000000001', '5e-324'],
    ['8000000000000001', '-5e-324'],
    ['7fefffffffffffff', '1.7976931348623157e+308'],
    ['ffefffffffffffff', '-1.7976931348623157e+308'],
    ['4340000000000000', '9007199254740992'],
    ['c340000000000000', '-9007199254740992'],
    ['4430000000000000', '295147905179352830000'],
    ['44b52d02c7e14af5', '9.999999999999997e+22'],
    ['44b52d02c7e14af6', '1e+23'],
    ['44b52d02c7e14af7', '1.0000000000000001e+23'],
    ['444b1ae4d6e2ef4e', '999999999999999700000'],
    ['444b1ae4d6e2ef4f', '999999999999999900000'],
    ['444b1ae4d6e2ef50', '1e+21'],
    ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
    ['3eb0c6f7a0b5ed8d', '0.000001'],
    ['41b3de4355555553', '333333333.3333332'],
    ['41b3de4355555554', '333333333.33333325'],
    ['41b3de4355555555', '333333333.3333333'],
    ['41b3de4355555556', '333333333.3333334'],
    ['41b3de4355555557', '333333333.33333343'],
    ['becbf647612f3696', '-0.0000033333333333333333'],
    ['43143ff3c1cb0959', '1424953923781206.2'],
  ])('the double %s is written %s', (bits, written) => {
    expect(text(double(bits))).toBe(written)
  })
})

test.each([
  ['NaN', Number.NaN],
  ['infinity', Number.POSITIVE_INFINITY],
  ['undefined', undefined],
  ['a member that is undefined', { a: undefined }],
  ['a hole in an array', new Array(1)],
  ['a lone surrogate in a string', 'a\ud800'],
  ['a lone surrogate in a member name', { '\udc00': 1 }],
  ['a date', new Date(0)],
  ['bytes', new Uint8Array(2)],
  ['a map', new Map()],
  ['a big integer', 1n],
  ['a function', () => 0],
])('refuses %s, which JSON cannot say', (_, value) => {
  expect(() => canonicalBytes(value)).toThrow(PpnError)
})

test.each([
  ['white space', '{ "a":1}'],
  ['members out of order', '{"b":1,"a":2}'],
  ['a member twice', '{"a":1,"a":1}'],
  ['another form of a number', '1.0'],
  ['a negative zero', '-0'],
  ['an escape that is not needed', '"\\u0041"'],
  ['upper-case hex in an escape', '"\\u000F"'],
  ['an escaped lone surrogate', '"\\ud800"'],
  ['a byte order mark', '\ufeff1'],
  ['something after the value', '1 '],
  ['no value', ''],
  ['nesting without end', `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
])('a reader refuses %s', (_, json) => {
  expect(() => parseCanonical(bytes(json))).toThrow(expect.objectContaining({ code: 'NotCanonical' }))
})

test('a reader refuses bytes that are not UTF-8', () => {
  expect(() => parseCanonical(Uint8Array.of(0x22, 0xff, 0x22))).toThrow(PpnError)
})

test('a member named __proto__ is data like any other', () => {
  const read = parseCanonical(bytes('{"__proto__":{"a":1}}')) as object
  expect(Object.keys(read)).toEqual(['__proto__'])
  expect(({} as { a?: number }).a).toBeUndefined()
})

const json = fc.jsonValue().filter((value) => !JSON.stringify(value).includes('\\ud'))

test('what is written is read back as the same value', () => {
  fc.assert(
    fc.property(json, (value) => {
      expect(parseCanonical(canonicalBytes(value))).toEqual(JSON.parse(JSON.stringify(value)))
    }),
  )
})

test('the order in which members were set does not show', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.integer()), (record) => {
      const reversed = Object.fromEntries(Object.entries(record).reverse())
      expect(canonicalBytes(reversed)).toEqual(canonicalBytes(record))
    }),
  )
})

test('any other JSON of a value is refused', () => {
  fc.assert(
    fc.property(json, (value) => {
      const pretty = bytes(JSON.stringify(value, null, 1))
      const canonical = canonicalBytes(value)
      if (Buffer.compare(pretty, canonical) === 0) return
      expect(() => parseCanonical(pretty)).toThrow(PpnError)
    }),
  )
})

test('a member that is undefined and one that is absent are the same after withoutUndefined', () => {
  const value = { a: undefined, b: [{ c: undefined, d: null }] }
  expect(text(withoutUndefined(value))).toBe('{"b":[{"d":null}]}')
})
