// Where an authority is at home. A move leaves one mark at each of the two places: the file `migration` in a state
// folder, the record `migration` on a cluster. Of two places that know each other at most one is without a mark or says
// `here`, at every moment:
//
//   from    -  | leaving | leaving  | leaving | gone
//   to      -  |    -    | arriving |  here   | here
import { z } from 'zod'
import { PpnError } from '../../base/errors.ts'
import type { Files } from '../../base/files.ts'
import type { RecordStore } from '../../controllers/ports/store.ts'
import { canonicalBytes, parseCanonical } from '../../protocol/canonical.ts'

export const MARK_FILE = 'migration'
export const MARK_RECORD = 'migration'

const placeMark = z.strictObject({
  /** Of the move, the same at both places. */
  id: z.string().regex(/^[0-9a-f]{32}$/),
  meshId: z.string().regex(/^[0-9a-f]{32}$/),
  phase: z.enum(['leaving', 'gone', 'arriving', 'here']),
  /** The other place, as a person knows it. */
  peer: z.string(),
  /** Clock.now() when it was written. */
  atMs: z.int(),
})
export type PlaceMark = z.output<typeof placeMark>

/** Throws AuthorityMoved or MoveUnfinished where no authority may reign. */
export function refuseMoved(mark: PlaceMark | undefined): void {
  if (!mark || mark.phase === 'here') return
  throw new PpnError(mark.phase === 'gone' ? 'AuthorityMoved' : 'MoveUnfinished', { peer: mark.peer })
}

/** Throws MarkUnreadable: then nobody may reign either. */
export async function markInFolder(files: Pick<Files, 'read'>): Promise<PlaceMark | undefined> {
  const bytes = await files.read(MARK_FILE)
  if (!bytes) return undefined
  try {
    return placeMark.parse(parseCanonical(bytes))
  } catch (cause) {
    throw new PpnError('MarkUnreadable', { name: MARK_FILE }, { cause })
  }
}

/** Durable when it resolves. */
export async function markFolder(files: Pick<Files, 'write' | 'remove'>, mark: PlaceMark | undefined): Promise<void> {
  if (mark) await files.write(MARK_FILE, canonicalBytes(mark))
  else await files.remove(MARK_FILE)
}

/** Throws MarkUnreadable. */
export function markInRecords(records: Pick<RecordStore, 'get'>): PlaceMark | undefined {
  const value = records.get(MARK_RECORD)?.value
  if (value === undefined) return undefined
  const read = placeMark.safeParse(value)
  if (!read.success) throw new PpnError('MarkUnreadable', { name: MARK_RECORD }, { cause: read.error })
  return read.data
}

/** Durable when it resolves. Throws Conflict when somebody else has written it. */
export async function markRecords(
  records: Pick<RecordStore, 'get' | 'put' | 'delete'>,
  mark: PlaceMark | undefined,
): Promise<void> {
  const version = records.get(MARK_RECORD)?.version ?? 0
  if (mark) await records.put(MARK_RECORD, mark, version)
  else await records.delete(MARK_RECORD, version)
}
