// Small documents of a state folder, where there is none: each is a record, its bytes in base64.
import type { RecordStore } from '../../controllers/ports/store.ts'

/** Beginning of their keys; the rest is the name of the file. */
export const FILE_RECORDS = 'file/'

const recordOf = (records: Pick<RecordStore, 'get'>, name: string) => records.get(FILE_RECORDS + name)

export function readFileRecord(records: Pick<RecordStore, 'get'>, name: string): Uint8Array | undefined {
  const found = recordOf(records, name)
  return found && new Uint8Array(Buffer.from(found.value as string, 'base64'))
}

/** Durable when it resolves. Throws Conflict when somebody else has written it. */
export async function writeFileRecord(
  records: Pick<RecordStore, 'get' | 'put'>,
  name: string,
  bytes: Uint8Array,
): Promise<void> {
  const version = recordOf(records, name)?.version ?? 0
  await records.put(FILE_RECORDS + name, Buffer.from(bytes).toString('base64'), version)
}

/** No error when it is not there. Otherwise as `writeFileRecord`. */
export async function removeFileRecord(records: Pick<RecordStore, 'get' | 'delete'>, name: string): Promise<void> {
  const found = recordOf(records, name)
  if (found) await records.delete(FILE_RECORDS + name, found.version)
}
