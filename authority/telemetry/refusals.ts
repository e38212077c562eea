// What nodes discarded and report (law 13), as counters that only rise.
import type { Metrics } from '../metrics.ts'
import { NODE_REFUSALS } from '../metrics.ts'

type Counts = Readonly<Record<string, number>>

/** A node may say any reason; those that no program of ours has are one, so that it cannot fill a scrape. */
const OTHER = 'Other'

/** `before`: the report before of the same boot; another boot counts from zero. */
export function countRefusals(metrics: Metrics, before: Counts | undefined, now: Counts): void {
  for (const [reason, count] of Object.entries(now)) {
    const grown = count - (before?.[reason] ?? 0)
    const label = NODE_REFUSALS.includes(reason) ? reason : OTHER
    if (grown > 0) metrics.count('ppn_node_refusals_total', label, grown)
  }
}
