// The term rises at every start (section 7.1, Term): one durable write before the first packet.
import type { RecordStore } from '../../controllers/ports/store.ts'
import type { Term } from '../../protocol/ids.ts'

const TERM_RECORD = 'term'

/** The last term recorded; 0 when this state never reigned. */
export function recordedTerm(records: Pick<RecordStore, 'get'>): Term {
  return (records.get(TERM_RECORD)?.value as Term | undefined) ?? 0
}

/**
 * Makes a term durable that is above the one recorded and above `above`, and returns it. Throws PpnError `Conflict`
 * when another process raised it at the same time: then that one reigns.
 */
export async function raiseTerm(records: Pick<RecordStore, 'get' | 'put'>, above: Term = 0): Promise<Term> {
  const term = Math.max(recordedTerm(records), above) + 1
  await records.put(TERM_RECORD, term, records.get(TERM_RECORD)?.version ?? 0)
  return term
}

/** What reigns next lies above `term`. Durable. */
export async function floorTerm(records: Pick<RecordStore, 'get' | 'put'>, term: Term): Promise<void> {
  if (recordedTerm(records) < term) await records.put(TERM_RECORD, term, records.get(TERM_RECORD)?.version ?? 0)
}
