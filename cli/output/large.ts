// Crockford's symbols large enough to be read across a room: five rows of five cells each.

/** One digit a row: its five bits are the cells from left to right. */
const GLYPHS: Record<string, readonly number[]> = {
  '0': [14, 19, 21, 25, 14],
  '1': [4, 12, 4, 4, 14],
  '2': [30, 1, 14, 16, 31],
  '3': [30, 1, 14, 1, 30],
  '4': [18, 18, 31, 2, 2],
  '5': [31, 16, 30, 1, 30],
  '6': [14, 16, 30, 17, 14],
  '7': [31, 1, 2, 4, 4],
  '8': [14, 17, 14, 17, 14],
  '9': [14, 17, 15, 1, 14],
  A: [14, 17, 31, 17, 17],
  B: [30, 17, 30, 17, 30],
  C: [15, 16, 16, 16, 15],
  D: [30, 17, 17, 17, 30],
  E: [31, 16, 30, 16, 31],
  F: [31, 16, 30, 16, 16],
  G: [15, 16, 19, 17, 15],
  H: [17, 17, 31, 17, 17],
  J: [7, 2, 2, 18, 12],
  K: [17, 18, 28, 18, 17],
  M: [17, 27, 21, 17, 17],
  N: [17, 25, 21, 19, 17],
  P: [30, 17, 30, 16, 16],
  Q: [14, 17, 21, 18, 13],
  R: [30, 17, 30, 18, 17],
  S: [15, 16, 14, 1, 30],
  T: [31, 4, 4, 4, 4],
  V: [17, 17, 17, 10, 4],
  W: [17, 17, 21, 27, 17],
  X: [17, 10, 4, 10, 17],
  Y: [17, 10, 4, 4, 4],
  Z: [31, 2, 4, 8, 31],
}

const CELLS = 5

/** Rows of text that show `symbols` side by side. Throws for a symbol that Crockford's base 32 has not. */
export function largeRows(symbols: string): string[] {
  const glyphs = [...symbols].map((symbol) => {
    const glyph = GLYPHS[symbol]
    if (!glyph) throw new Error(`"${symbol}" has no large form`)
    return glyph
  })
  return Array.from({ length: CELLS }, (_, row) =>
    glyphs
      .map((glyph) => cells(glyph[row] as number))
      .join('  ')
      .trimEnd(),
  )
}

const cells = (bits: number): string =>
  Array.from({ length: CELLS }, (_, i) => ((bits >> (CELLS - 1 - i)) & 1 ? '█' : ' ')).join('')
