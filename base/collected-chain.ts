// Lines of a chained log (chained-log.ts) as somebody else collected them: of several writers, among other lines, twice,
// in any order, from anywhere in its middle. What a reader can still tell is whether each is what its hash was taken of,
// and whether any is missing in between.
import { asLine, CHAIN_START, type ChainHead, hashOf } from './chained-log.ts'

export type CollectedFault =
  /** Not what its hash was taken of. */
  | 'Changed'
  /** Numbers that are not there, or the head that was asked for. */
  | 'Missing'
  /** Follows from no line that is here, although one of the number before is. */
  | 'NotLinked'
  /** One writer went on twice from the same line: two histories. */
  | 'Fork'

export interface CollectedReport {
  /** Each once. */
  lines: number
  /** Lowest number; what came before it is not here. 0: there are no lines. */
  first: number
  /** Of the highest number. */
  head: ChainHead
  /** Where several writers went on from the same line, one of them after the other ended without a word. */
  branches: { after: number; writers: string[] }[]
  /** Lines of something else. */
  others: number
  /** By line number. */
  faults: { line: number; fault: CollectedFault; why: string }[]
}

export interface CollectedChain {
  /** A line without its newline. Never throws. */
  add(text: string): void
  /** `head`: the last line is known to be this one, or a later one. */
  report(head?: { hash: string; count?: number }): CollectedReport
}

interface Known {
  n: number
  prev: string
  writer?: string
}

/** `writer`: whose line an entry is. Some 300 bytes of memory a line. */
export function collectedChain(writer: (entry: Record<string, unknown>) => string | undefined): CollectedChain {
  const good = new Map<string, Known>()
  /** By the whole line; `hash` is what it calls itself. */
  const changed = new Map<string, Known & { hash: string }>()
  let others = 0

  return {
    add(text) {
      const whole = text.trim()
      if (whole === '') return
      const line = asLine(Buffer.from(whole))
      if (!line || typeof line.hash !== 'string' || typeof line.prev !== 'string') {
        others++
        return
      }
      const { hash, n, prev, entry } = line
      if (hash !== hashOf(line)) return void changed.set(whole, { n, prev, hash })
      const whose = typeof entry === 'object' && entry !== null ? writer(entry) : undefined
      good.set(hash, { n, prev, ...(whose !== undefined && { writer: whose }) })
    },
    report(wanted) {
      const all = [...good.values(), ...changed.values()]
      const numbers = [...new Set(all.map(({ n }) => n))].sort((a, b) => a - b)
      const present = new Set(numbers)
      const [first = 0] = numbers
      const last = numbers.at(-1)
      const faults: CollectedReport['faults'] = []
      const wrong = (line: number, fault: CollectedFault, why: string) => void faults.push({ line, fault, why })

      for (const { n } of changed.values()) wrong(n, 'Changed', 'is not what its hash was taken of')
      for (const [at, n] of numbers.entries()) {
        const from = (numbers[at - 1] ?? n - 1) + 1
        if (from < n) wrong(from, 'Missing', from === n - 1 ? 'is missing' : `to ${n - 1} are missing`)
      }
      // The line that a changed one was follows from it all the same.
      const claimed = new Map([...changed.values()].map(({ hash, n }) => [hash, n]))
      const numberOf = (hash: string) => (hash === CHAIN_START.hash ? 0 : (good.get(hash)?.n ?? claimed.get(hash)))
      for (const { n, prev } of all) {
        const before = numberOf(prev)
        if (before === undefined ? n !== first && present.has(n - 1) : before !== n - 1)
          wrong(n, 'NotLinked', 'does not follow from the line before')
      }
      const origins = new Set(all.filter(({ n }) => n === first).map(({ prev }) => prev))
      if (origins.size > 1) wrong(first, 'NotLinked', 'follows from different lines')

      const branches: CollectedReport['branches'] = []
      for (const lines of Map.groupBy(good.values(), ({ prev }) => prev).values()) {
        const [{ n }] = lines as [Known]
        const writers = [...new Set(lines.flatMap((line) => line.writer ?? []))]
        if (lines.length > 1 && writers.length < lines.length)
          wrong(n, 'Fork', 'is there twice, by the same writer: two histories')
        else if (lines.length > 1) branches.push({ after: n - 1, writers })
      }
      if (wanted && !good.has(wanted.hash)) wrong(wanted.count ?? 0, 'Missing', 'is the recorded head, and is not here')
      const top = [...good].findLast(([, { n }]) => n === last)
      return {
        ...{ lines: all.length, first, others },
        head: top ? { count: top[1].n, hash: top[0] } : CHAIN_START,
        branches: branches.sort((a, b) => a.after - b.after),
        faults: faults.sort((a, b) => a.line - b.line),
      }
    },
  }
}
