// merge(a, diff(a, b)) says the same as b, for any two reports.
import { canonicalBytes, withoutUndefined } from '../../base/canonical-json.ts'
import { keyText, LISTS, type ListRule, sortReport } from './lists.ts'
import { type NodeReport, type NodeReportDelta, REPORT_LIMITS, type Removals } from './report.ts'

type Entries = Record<string, unknown>[]
type AnyList = ListRule<'archives'> & { name: keyof NodeReport & keyof Removals }

const KEYED = new Set<string>([...LISTS.map((list) => list.name), 'refusals', 'removed'])
const same = (a: unknown, b: unknown): boolean =>
  a === b || Buffer.compare(canonicalBytes(withoutUndefined(a)), canonicalBytes(withoutUndefined(b))) === 0

function byKey(list: AnyList, entries: Entries): Map<string, Record<string, unknown>> {
  return new Map(entries.map((entry) => [keyText(list.keyOf(entry as never)), entry]))
}

/** The report after a delta; lists come out in the order of their keys. Neither argument is changed. */
export function mergeReport(report: NodeReport, delta: NodeReportDelta): NodeReport {
  const { removed = {}, ...changed } = withoutUndefined(delta)
  const merged: Record<string, unknown> = { ...report, ...changed }
  for (const field of removed.fields ?? []) delete merged[field]
  for (const list of LISTS as unknown as AnyList[]) {
    const entries = byKey(list, report[list.name] as Entries)
    for (const key of removed[list.name] ?? []) entries.delete(keyText(key))
    for (const [key, entry] of byKey(list, (changed[list.name] ?? []) as Entries)) entries.set(key, entry)
    merged[list.name] = [...entries.values()]
  }
  const refusals = { ...report.refusals }
  for (const reason of removed.refusals ?? []) delete refusals[reason]
  merged.refusals = { ...refusals, ...changed.refusals }
  return sortReport(merged as NodeReport)
}

/** Each delta keeps within a report's bounds; together they may not, and what is merged is kept in memory. */
export function isWithinBounds(report: NodeReport): boolean {
  const { refusals, ...lists } = REPORT_LIMITS
  const long = Object.entries(lists).some(([name, most]) => report[name as keyof typeof lists].length > most)
  return !long && Object.keys(report.refusals).length <= refusals
}

/** What turns `before` into `after`; undefined when they say the same. */
export function diffReport(before: NodeReport, after: NodeReport): NodeReportDelta | undefined {
  const delta: Record<string, unknown> = {}
  const removed: Record<string, unknown[]> = {}
  const remove = (from: string, key: unknown) => {
    removed[from] = [...(removed[from] ?? []), key]
  }

  const old = withoutUndefined(before) as Record<string, unknown>
  const now = withoutUndefined(after) as Record<string, unknown>
  for (const field of new Set([...Object.keys(old), ...Object.keys(now)])) {
    if (KEYED.has(field)) continue
    if (!(field in now)) remove('fields', field)
    else if (!(field in old) || !same(old[field], now[field])) delta[field] = now[field]
  }
  for (const list of LISTS as unknown as AnyList[]) {
    const had = byKey(list, before[list.name] as Entries)
    const has = byKey(list, after[list.name] as Entries)
    for (const [key, entry] of had) if (!has.has(key)) remove(list.name, list.keyOf(entry as never))
    const changed = [...has].filter(([key, entry]) => !had.has(key) || !same(had.get(key), entry))
    if (changed.length > 0) delta[list.name] = changed.map(([, entry]) => entry)
  }
  const refusals = Object.entries(after.refusals).filter(([reason, count]) => before.refusals[reason] !== count)
  if (refusals.length > 0) delta.refusals = Object.fromEntries(refusals)
  for (const reason of Object.keys(before.refusals)) if (!(reason in after.refusals)) remove('refusals', reason)

  if (Object.keys(removed).length > 0) delta.removed = removed
  return Object.keys(delta).length > 0 ? (sortReport(delta) as NodeReportDelta) : undefined
}
