// What a stopped authority knew: `ppn get` without a running one.
import { existsSync, statSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { AnyObject } from '../../api/v1alpha1/index.ts'
import { PpnError } from '../../base/errors.ts'
import type { StoredRecord } from '../../controllers/ports/store.ts'
import type { StoredObject } from '../common/stored.ts'
import { MIGRATIONS } from './migrations.ts'
import { DATABASE_FILE } from './open.ts'
import { sqlitePersistence } from './persistence.ts'

export interface StoredState {
  objects: AnyObject[]
  /** The same as they are kept. */
  rows: StoredObject[]
  records: StoredRecord[]
  /** Wall clock, ms: when anything was last written. */
  writtenMs: number
}

/** Reads the database of a state folder without changing it. Undefined when there is none or it was never filled. */
export function readState(folder: string): StoredState | undefined {
  const file = path.join(folder, DATABASE_FILE)
  if (!existsSync(file)) return undefined
  const sql = new DatabaseSync(file, { readOnly: true })
  try {
    const found = Number(sql.prepare('pragma user_version').get()?.user_version)
    if (found > MIGRATIONS.length) throw new PpnError('StateTooNew', { path: file, found, known: MIGRATIONS.length })
    if (found === 0) return undefined
    const refuse = () => {
      throw new TypeError('opened for reading only')
    }
    const persistence = sqlitePersistence({ sql, transaction: refuse, close: () => sql.close() })
    const writtenMs = Math.max(
      ...[file, `${file}-wal`].filter((name) => existsSync(name)).map((name) => statSync(name).mtimeMs),
    )
    const rows = persistence.objects.load()
    return {
      rows,
      objects: rows.map(({ object }) => object),
      records: persistence.records.load(),
      writtenMs,
    }
  } finally {
    sql.close()
  }
}
