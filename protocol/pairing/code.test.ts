import fc from 'fast-check'
import { expect, test } from 'vitest'
import { systemRandom } from '../../base/random.ts'
import { generateCode, generateRendezvous, passwordOf, readCode, readRendezvous, readScan, scanText } from './code.ts'

test('a code is what its schema asks for, and different each time', () => {
  const codes = new Set(Array.from({ length: 1000 }, () => generateCode(systemRandom)))
  expect(codes.size).toBe(1000)
  for (const code of codes) expect(code).toMatch(/^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$/)
  expect(generateRendezvous(systemRandom)).toMatch(/^[0-9A-HJKMNP-TV-Z]{4}$/)
})

test('every symbol is as likely as the next', () => {
  const every = Uint8Array.from({ length: 256 }, (_, i) => i)
  const seen = new Map<string, number>()
  for (const byte of every) {
    const [symbol = ''] = generateRendezvous(() => new Uint8Array(4).fill(byte))
    seen.set(symbol, (seen.get(symbol) ?? 0) + 1)
  }
  expect([...seen.values()]).toEqual(Array(32).fill(8))
})

test('lower case, O for 0, I and L for 1, spaces and dashes are read as meant', () => {
  expect(readCode(' k7of–2mil ')).toBe('K70F-2M11')
  expect(readCode('K70F2M11')).toBe('K70F-2M11')
  expect(readCode('k-7-0-f 2 m 1 1')).toBe('K70F-2M11')
  expect(readRendezvous(' 2 i-oz')).toBe('210Z')
})

test('what is no code is refused and says what a code looks like', () => {
  for (const typed of ['', 'K7QF-2M9', 'K7QF-2M9DD', 'K7QF-2M9U', 'K7QF/2M9D', 'K7QF-2M9É'])
    expect(() => readCode(typed), typed).toThrowError(expect.objectContaining({ code: 'BadPairingCode' }))
  expect(() => readRendezvous('ABCDE')).toThrowError(expect.objectContaining({ code: 'BadPairingCode' }))
})

test('however a code is typed, its password is the same', () => {
  const code = fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => generateCode(() => bytes))
  const sloppy = (text: string, choices: boolean[]) =>
    [...text]
      .map((symbol, i) => {
        if (!choices[i]) return symbol
        if (symbol === '0') return 'o'
        if (symbol === '1') return 'l'
        return ` ${symbol.toLowerCase()}-`
      })
      .join('')
  fc.assert(
    fc.property(code, fc.array(fc.boolean(), { minLength: 9, maxLength: 9 }), (text, choices) => {
      expect(passwordOf(sloppy(text, choices))).toEqual(passwordOf(text))
      expect(passwordOf(text).length).toBe(8)
    }),
  )
})

test('a scanned text is rendezvous and code in one, whatever the phone or the person made of its case and dashes', () => {
  const secret = { rendezvous: 'A1B2', code: 'K70F-2M11' }
  expect(scanText(secret)).toBe('PPN:A1B2-K70F-2M11')
  for (const typed of ['PPN:A1B2-K70F-2M11', 'ppn:a1b2-k7of-2mil', ' A1B2 K70F 2M11 ', 'alb2k70f2m11'])
    expect(readScan(typed), typed).toEqual(secret)
})

test('what is no scanned text is none: a rendezvous alone, a code alone, another address', () => {
  for (const typed of ['', 'A1B2', 'K70F-2M11', 'ppn:A1B2', 'https://A1B2-K70F-2M11', 'ppn:A1B2-K70F-2M1U'])
    expect(readScan(typed), typed).toBeUndefined()
})
