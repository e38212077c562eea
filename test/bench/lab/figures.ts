// What the lab's benchmark says at its end. No figure fails a build: docs/performance.md says what they mean.

import { summarise } from '../stats.ts'
import { markdownTable } from '../table.ts'

export interface Figure {
  what: string
  /** ppn, or what a person would use instead. */
  by: string
  /** Milliseconds, a sample a round (or a round and receiver). */
  samples: readonly number[]
  /** Packets, or words, of all rounds. */
  lost: number
  of: number
  goal?: { text: string; met(figure: Figure): boolean }
}

const ms = (n: number): string => `${n >= 100 ? n.toFixed(0) : n.toFixed(1)} ms`

export function figuresTable(figures: readonly Figure[]): string {
  const rows = figures.map((f) => {
    const { samples, median, p99, max } = summarise(f.samples)
    const verdict = f.goal ? [f.goal.text, f.goal.met(f) ? 'yes' : 'NO'] : ['-', '-']
    return [f.what, f.by, String(samples), ms(median), ms(p99), ms(max), `${f.lost} of ${f.of}`, ...verdict]
  })
  return markdownTable(['what', 'by', 'samples', 'median', 'p99', 'most', 'lost', 'goal', 'met'], rows)
}
