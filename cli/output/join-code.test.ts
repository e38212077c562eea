import decodeQR from 'qr/decode.js'
import { expect, test } from 'vitest'
import { generateCode } from '../../protocol/pairing/code.ts'
import { isUtf8, joinCode } from './join-code.ts'
import { largeRows } from './large.ts'
import { qrRows, qrWidth } from './qr.ts'

const SECRET = { rendezvous: 'A1B2', code: 'K70F-2M11' }
const TERMINAL = { color: true, columns: 80, utf8: true }
const ESC = '\u001b'
const withoutEscapes = (text: string) => text.replaceAll(new RegExp(`${ESC}\\[[0-9;]*m`, 'g'), '')
const PLAIN = `
  at the authority:   ppn pair --node NAME

      rendezvous      A 1 B 2
      code            K 7 0 F - 2 M 1 1

`

/** A phone's view of the rows: a picture of eight pixels a module. */
function scanned(rows: string[]): string {
  const scale = 8
  const text = rows.map(withoutEscapes)
  const width = (text[0] as string).length
  const modules = text.flatMap((row) => [
    [...row].map((c) => c === '█' || c === '▀'),
    [...row].map((c) => c === '█' || c === '▄'),
  ])
  const height = modules.length
  const data = new Uint8Array(width * height * scale * scale * 4).fill(255)
  for (let y = 0; y < height * scale; y++)
    for (let x = 0; x < width * scale; x++)
      if (modules[Math.floor(y / scale)]?.[Math.floor(x / scale)])
        data.fill(0, 4 * (y * width * scale + x), 4 * (y * width * scale + x) + 3)
  return decodeQR({ width: width * scale, height: height * scale, data })
}

test('what a phone reads from the QR code is what ppn pair takes', () => {
  expect(scanned(qrRows('PPN:A1B2-K70F-2M11'))).toBe('PPN:A1B2-K70F-2M11')
})

test('every code makes the smallest symbol there is, and every row has its width', () => {
  for (let i = 0; i < 64; i++) {
    const code = generateCode((n) => new Uint8Array(n).fill(i * 4 + 1))
    const rows = qrRows(`PPN:ZZZZ-${code}`)
    expect(rows.length).toBe(Math.ceil(qrWidth() / 2))
    for (const row of rows) expect(withoutEscapes(row).length).toBe(qrWidth())
  }
})

test('every symbol of a code has a large form, and no two are alike', () => {
  const all = [...'0123456789ABCDEFGHJKMNPQRSTVWXYZ']
  expect(new Set(all.map((symbol) => largeRows(symbol).join('\n'))).size).toBe(32)
  expect(largeRows('17')).toEqual(['  █    █████', ' ██        █', '  █       █', '  █      █', ' ███     █'])
  expect(() => largeRows('U')).toThrow('no large form')
})

test('on a terminal the QR code stands beside the large symbols, within 80 columns and 24 rows', () => {
  const shown = joinCode(SECRET, TERMINAL)
  const lines = withoutEscapes(shown).split('\n')
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80)
  expect(lines.length).toBeLessThanOrEqual(24)
  for (const row of [...qrRows('PPN:A1B2-K70F-2M11'), ...largeRows('A1B2'), ...largeRows('K70F'), ...largeRows('2M11')])
    expect(shown).toContain(row)
  expect(shown).toContain('rendezvous A1B2   code K70F-2M11')
})

test('a narrow terminal has the large symbols and no QR code, a very narrow one plain lines', () => {
  const narrow = joinCode(SECRET, { ...TERMINAL, columns: 40 })
  expect(narrow).toContain(largeRows('A1B2')[0])
  expect(narrow).not.toContain(ESC)
  expect(joinCode(SECRET, { ...TERMINAL, columns: 20 })).toBe(PLAIN)
})

test('without colour or without UTF-8 there are plain lines alone', () => {
  expect(joinCode(SECRET, { ...TERMINAL, color: false })).toBe(PLAIN)
  expect(joinCode(SECRET, { ...TERMINAL, utf8: false })).toBe(PLAIN)
})

test('the first variable of the locale that is set decides', () => {
  expect(isUtf8({ LANG: 'en_GB.UTF-8' })).toBe(true)
  expect(isUtf8({ LANG: 'C.utf8', LC_CTYPE: '' })).toBe(true)
  expect(isUtf8({ LANG: 'en_GB.UTF-8', LC_ALL: 'C' })).toBe(false)
  expect(isUtf8({})).toBe(false)
})
