// The shape of the readiness table: facts with finite domains, rows matched from the top, one verdict a row.
import type { ConditionStatus } from '../meta.ts'

type FactValue = string | boolean

/** Every value each fact can take; the types of the facts are read off it. */
export type Domain = Readonly<Record<string, readonly FactValue[]>>
export type FactsOf<D extends Domain> = { readonly [K in keyof D]: D[K][number] }

/**
 * Ready: seen by fresh telemetry in the declared state at this generation. Reconciling: on its way by itself.
 * Stalled: somebody has to do something. Unknown: not seen, or told to look away.
 */
export type Verdict = 'Ready' | 'Reconciling' | 'Stalled' | 'Unknown'

export interface Row<D extends Domain> {
  /** All named facts must have (one of) the given values. */
  readonly when: { readonly [K in keyof D]?: D[K][number] | readonly D[K][number][] }
  readonly verdict: Verdict
  readonly reason: string
  /** `{name}` is replaced from the details given along with the facts. */
  readonly message: string
}

export interface Table<D extends Domain> {
  readonly domain: D
  /** The first row that matches counts; the last one matches everything. */
  readonly rows: readonly Row<D>[]
}

/** The three conditions of a verdict. Reconciling and Stalled are never both True (kstatus). */
export const CONDITIONS_OF: Readonly<
  Record<Verdict, { Ready: ConditionStatus; Reconciling: ConditionStatus; Stalled: ConditionStatus }>
> = {
  Ready: { Ready: 'True', Reconciling: 'False', Stalled: 'False' },
  Reconciling: { Ready: 'False', Reconciling: 'True', Stalled: 'False' },
  Stalled: { Ready: 'False', Reconciling: 'False', Stalled: 'True' },
  Unknown: { Ready: 'Unknown', Reconciling: 'False', Stalled: 'False' },
}

export function matches<D extends Domain>(row: Row<D>, facts: FactsOf<D>): boolean {
  return Object.entries(row.when).every(([name, wanted]) => {
    const value = facts[name as keyof D]
    return Array.isArray(wanted) ? wanted.includes(value) : wanted === value
  })
}

/** The row that counts. Throws a TypeError when none matches: the table's test proves that this cannot be. */
export function decide<D extends Domain>(table: Table<D>, facts: FactsOf<D>): Row<D> {
  const row = table.rows.find((candidate) => matches(candidate, facts))
  if (!row) throw new TypeError(`no readiness row for ${JSON.stringify(facts)}`)
  return row
}

/** One Stalled row for each value of a fact that is a refusal; the value is the reason. */
export function refusals<D extends Domain, K extends keyof D>(
  fact: K,
  messages: Readonly<Partial<Record<Extract<D[K][number], string>, string>>>,
): Row<D>[] {
  return Object.entries(messages).map(([reason, message]) => ({
    when: { [fact]: reason } as Row<D>['when'],
    verdict: 'Stalled',
    reason,
    message: message as string,
  }))
}
