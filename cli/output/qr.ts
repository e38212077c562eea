// A QR code (ISO/IEC 18004) in a terminal: two modules a character, dark on light whatever the terminal's own colours,
// because not every reader takes an inverted code.
import encodeQR from 'qr'

/** Light modules around the symbol; the standard asks for four, readers are content with two. */
const QUIET = 2
/** Black on white; a terminal without bright colours keeps the grey before them. */
const DARK_ON_LIGHT = '\u001b[30;47;107m'
const RESET = '\u001b[0m'

/**
 * Rows of text, all of the same width. Upper case, digits and `$%*+-./: ` only: the dense mode of the standard, which
 * keeps a code of ppn at 21 modules, the smallest there is.
 */
export function qrRows(text: string): string[] {
  const modules = encodeQR(text, 'raw', { ecc: 'medium', encoding: 'alphanumeric', border: QUIET })
  const rows: string[] = []
  for (let y = 0; y < modules.length; y += 2) {
    const upper = modules[y] as boolean[]
    const halves = upper.map((dark, x) => halfBlock(dark, modules[y + 1]?.[x] ?? false))
    rows.push(`${DARK_ON_LIGHT}${halves.join('')}${RESET}`)
  }
  return rows
}

/** Characters of a row, escapes aside. */
export const qrWidth = (modules = 21): number => modules + 2 * QUIET

const halfBlock = (upper: boolean, lower: boolean): string => (upper ? (lower ? '█' : '▀') : lower ? '▄' : ' ')
