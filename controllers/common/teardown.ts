// The durable fact that an object's teardown has begun: `teardown/<uid>`. The bundle of a node says `remove` of an
// archive only from then on, so that an object returning to its source before cancels the deletion without a trace.
import type { ObjectKey } from '../../api/meta.ts'
import type { RecordStore } from '../ports/store.ts'

const at = (uid: string): string => `teardown/${uid}`

export function teardownBegun(records: RecordStore, uid: string): boolean {
  return records.get(at(uid)) !== undefined
}

export async function rememberTeardown(records: RecordStore, uid: string, key: ObjectKey): Promise<void> {
  if (!teardownBegun(records, uid)) await records.put(at(uid), { key }, 0)
}

export async function forgetTeardown(records: RecordStore, uid: string): Promise<void> {
  const record = records.get(at(uid))
  if (record) await records.delete(record.key, record.version)
}
