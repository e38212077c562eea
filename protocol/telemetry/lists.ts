// The lists of a report, and what tells their entries apart. Merging, comparing, splitting and sorting all go by it.
import type { NodeReport, Removals } from './report.ts'

type ListName = 'marks' | 'peers' | 'archives' | 'releases' | 'retainedDisks'
type Entry<L extends ListName> = NodeReport[L][number]
type RemovedKey<L extends ListName> = NonNullable<Removals[L]>[number]

/** How entries of one list are told apart: as what a removal names them by. */
export interface ListRule<L extends ListName> {
  name: L
  keyOf(entry: Entry<L>): RemovedKey<L>
}

const rule = <L extends ListName>(name: L, keyOf: (entry: Entry<L>) => RemovedKey<L>): ListRule<L> => ({
  name,
  keyOf,
})

export const LISTS = [
  rule('marks', (mark) => [mark.op, mark.slot]),
  rule('peers', (peer) => peer.nodeId),
  rule('archives', (archive) => archive.slot),
  rule('releases', (release) => [release.archive, release.fencingEpoch]),
  rule('retainedDisks', (disk) => disk.id),
] as const

/** One spelling of a key, for maps. */
export const keyText = (key: unknown): string => JSON.stringify(key)

function compareKeys(a: unknown, b: unknown): number {
  if (Array.isArray(a) && Array.isArray(b)) return compareKeys(a[0], b[0]) || compareKeys(a[1], b[1])
  if (typeof a === 'number' && typeof b === 'number') return a - b
  return String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0
}

/** The entries in the order of their keys; those that are in order already, as they are. */
function sorted<L extends ListName>(list: ListRule<L>, entries: readonly Entry<L>[]): readonly Entry<L>[] {
  const inOrder = entries.every((entry, i) => {
    const next = entries[i + 1]
    return next === undefined || compareKeys(list.keyOf(entry), list.keyOf(next)) <= 0
  })
  return inOrder ? entries : [...entries].sort((a, b) => compareKeys(list.keyOf(a), list.keyOf(b)))
}

/** A report with every list in the order of its keys: two reports that say the same are then deeply equal. */
export function sortReport<R extends Partial<NodeReport>>(report: R): R {
  const out = { ...report } as Record<string, unknown>
  for (const list of LISTS) {
    const entries = report[list.name]
    if (entries) out[list.name] = sorted(list as ListRule<ListName>, entries)
  }
  return out as R
}
