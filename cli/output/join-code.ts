// What `ppn join` shows: rendezvous and code, large, and a QR code beside them where the terminal can.
import { scanText } from '../../protocol/pairing/code.ts'
import { largeRows } from './large.ts'
import { qrRows, qrWidth } from './qr.ts'

export interface Screen {
  /** A terminal that may be coloured (NO_COLOR and TERM=dumb are not). */
  color: boolean
  columns: number
  /** Of the locale; block characters need UTF-8. */
  utf8: boolean
}

const MARGIN = '  '
/** Four large symbols: 4 x 5 cells, and 3 x 2 between. */
const LARGE_WIDTH = 26

/** Text for the screen. Plain lines wherever anything else could come out wrong: no terminal, NO_COLOR, no UTF-8. */
export function joinCode(secret: { rendezvous: string; code: string }, screen: Screen): string {
  const { rendezvous, code } = secret
  const { columns } = screen
  if (!screen.color || !screen.utf8 || columns < MARGIN.length + LARGE_WIDTH) {
    const plain = [`rendezvous      ${[...rendezvous].join(' ')}`, `code            ${[...code].join(' ')}`]
    return page([HEAD, '', ...plain.map((line) => `    ${line}`)])
  }
  const [first = '', second = ''] = code.split('-')
  const large = ['rendezvous', ...largeRows(rendezvous), 'code', ...largeRows(first), '', ...largeRows(second)]
  const words = `rendezvous ${rendezvous}   code ${code}`
  if (columns < 2 * MARGIN.length + qrWidth() + LARGE_WIDTH) return page([HEAD, '', ...large, words])
  const qr = qrRows(scanText(secret))
  const offset = Math.floor((large.length - qr.length) / 2)
  const beside = large.map((line, i) => `${qr[i - offset] ?? ' '.repeat(qrWidth())}${MARGIN}${line}`.trimEnd())
  const head = columns >= HEAD.length + HINT.length + MARGIN.length ? HEAD + HINT : HEAD
  return page([head, '', ...beside, words])
}

const HEAD = 'at the authority:   ppn pair --node NAME'
const HINT = '   (it takes what a phone reads, too)'

const page = (lines: string[]): string =>
  `\n${lines.map((line) => (line === '' ? '' : `${MARGIN}${line}`)).join('\n')}\n\n`

/** Whether the locale's character set is UTF-8 (locale(7): the first of these that is set counts). */
export const isUtf8 = (env: Readonly<Record<string, string | undefined>>): boolean =>
  /utf-?8/i.test(env.LC_ALL || env.LC_CTYPE || env.LANG || '')
