// The durable fact that an object's teardown has begun: `teardown/<uid>`. The bundle of a node says `remove` of an
// archive only from then on, so that an object returning to its source before cancels the deletion without a trace.
import type { ObjectKey } from '../../api/meta.ts'
import type { RecordStore } from '../ports/store.ts'

interface Teardown {
  key: ObjectKey
  /** Clock.now() of the commitment. */
  begunMs: number
}

const at = (uid: string): string => `teardown/${uid}`

export function teardownBegun(records: RecordStore, uid: string): boolean {
  return records.get(at(uid)) !== undefined
}

export function teardownBegunMs(records: RecordStore, uid: string): number | undefined {
  return (records.get(at(uid))?.value as Teardown | undefined)?.begunMs
}

export async function rememberTeardown(records: RecordStore, uid: string, key: ObjectKey, nowMs: number) {
  const teardown: Teardown = { key, begunMs: nowMs }
  if (!teardownBegun(records, uid)) await records.put(at(uid), teardown, 0)
}

export async function forgetTeardown(records: RecordStore, uid: string): Promise<void> {
  const record = records.get(at(uid))
  if (record) await records.delete(record.key, record.version)
}
