// What a store needs of whatever remembers. SQLite has one, `stores/memory/state.ts` the other.
import type { ObjectKey } from '../../api/meta.ts'
import type { StoredRecord } from '../../controllers/ports/store.ts'
import type { StoredObject } from './stored.ts'

export interface ObjectPersistence {
  load(): StoredObject[]
  /** Highest resource version ever given out. */
  resourceVersion(): number
  /**
   * One transaction: these rows are now so, these keys are gone. `durable`: survives a power cut when it returns;
   * otherwise it survives the end of the process. Throws when nothing was written.
   */
  write(rows: readonly StoredObject[], gone: readonly ObjectKey[], resourceVersion: number, durable: boolean): void
}

export interface RecordPersistence {
  load(): StoredRecord[]
  /** Highest version ever given out, over all keys. */
  version(): number
  /** One durable transaction. */
  write(rows: readonly StoredRecord[], gone: readonly string[], version: number): void
}

export interface Persistence {
  objects: ObjectPersistence
  records: RecordPersistence
  close(): void
}
