import type { ObjectKey } from '../../api/meta.ts'
import type { StoredRecord } from '../../controllers/ports/store.ts'
import type { Persistence } from '../common/persistence.ts'
import { keyOfStored, type StoredObject } from '../common/stored.ts'

/** What a memory store would find again after a restart: hand it from one store to the next. */
export interface MemoryState extends Persistence {
  /** From now on every write fails with this error, until called with undefined. */
  failWrites(error: Error | undefined): void
}

export function memoryState(): MemoryState {
  const objects = new Map<ObjectKey, StoredObject>()
  const records = new Map<string, StoredRecord>()
  let resourceVersion = 0
  let version = 0
  let failure: Error | undefined
  return {
    failWrites: (error) => {
      failure = error
    },
    objects: {
      // Identity of drafts does not outlive a process.
      load: () => [...objects.values()].map((row) => structuredClone({ ...row, draft: undefined })),
      resourceVersion: () => resourceVersion,
      write(rows, gone, highest) {
        if (failure) throw failure
        for (const key of gone) objects.delete(key)
        for (const row of rows) objects.set(keyOfStored(row), row)
        resourceVersion = highest
      },
    },
    records: {
      load: () => [...records.values()].map((record) => structuredClone(record)),
      version: () => version,
      write(rows, gone, highest) {
        if (failure) throw failure
        for (const key of gone) records.delete(key)
        for (const row of rows) records.set(row.key, row)
        version = highest
      },
    },
    close: () => {},
  }
}
