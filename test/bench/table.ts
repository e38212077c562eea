// What a benchmark says at the end: one table, in the form of docs/performance.md.
import { cpus, totalmem } from 'node:os'
import { type Summary, summarise } from './stats.ts'

export interface Result {
  what: string
  unit: string
  samples: readonly number[]
  /** The figure that is compared: p99 of times, median of costs and rates. */
  judged: 'median' | 'p99'
  goal: number
  /** A rate is met by more, everything else by less. */
  better: 'less' | 'more'
  notes?: readonly string[]
}

const figure = (n: number): string =>
  n >= 1000 ? Math.round(n).toLocaleString('en-US') : n >= 10 ? n.toFixed(0) : n.toFixed(2)

export const isMet = ({ samples, judged, goal, better }: Result): boolean => {
  const value = summarise(samples)[judged]
  return better === 'less' ? value <= goal : value >= goal
}

function rowOf(result: Result): string[] {
  const { what, unit, goal, better, judged } = result
  const { samples, median, p99, min, max }: Summary = summarise(result.samples)
  return [
    what,
    String(samples),
    `${figure(median)} ${unit}`,
    `${figure(p99)} ${unit}`,
    `${figure(min)} - ${figure(max)}`,
    `${judged} ${better === 'less' ? '<=' : '>='} ${figure(goal)} ${unit}`,
    isMet(result) ? 'yes' : 'NO',
  ]
}

export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n')
}

export function machine(): string {
  const [first] = cpus()
  const memory = Math.round(totalmem() / 2 ** 30)
  return `${first?.model ?? 'unknown CPU'}, ${cpus().length} cores, ${memory} GiB, ${process.platform}, Node ${process.version}`
}

export function table(results: readonly Result[]): string {
  const head = ['what', 'samples', 'median', 'p99', 'spread', 'goal', 'met']
  const notes = results.flatMap(({ what, notes = [] }) => notes.map((note) => `- ${what}: ${note}`))
  return [markdownTable(head, results.map(rowOf)), ...(notes.length > 0 ? ['', ...notes] : [])].join('\n')
}
