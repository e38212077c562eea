// ppn.db: one file, WAL, opened by one process that writes.
import { closeSync, openSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { PpnError } from '../../base/errors.ts'
import { MIGRATIONS } from './migrations.ts'

export const DATABASE_FILE = 'ppn.db'

export interface Database {
  readonly sql: DatabaseSync
  /**
   * All or nothing. `durable` (synchronous FULL): it survives a power cut when this returns. Otherwise (NORMAL): it
   * survives the end of the process, and a power cut may take it back whole.
   */
  transaction<T>(durable: boolean, work: () => T): T
  close(): void
}

function migrate(sql: DatabaseSync, file: string): void {
  const found = Number(sql.prepare('pragma user_version').get()?.user_version)
  if (found > MIGRATIONS.length) throw new PpnError('StateTooNew', { path: file, found, known: MIGRATIONS.length })
  for (let version = found; version < MIGRATIONS.length; version++) {
    sql.exec(`begin immediate; ${MIGRATIONS[version]}; pragma user_version = ${version + 1}; commit`)
  }
}

/** Opens or makes the database of a state folder and brings an older one up to date. Throws `StateTooNew`. */
export function openDatabase(folder: string): Database {
  const file = path.join(folder, DATABASE_FILE)
  // Made by us first, so that nobody else can ever read it: it may hold a pairing code.
  closeSync(openSync(file, 'a', 0o600))
  const sql = new DatabaseSync(file)
  let durableNow: boolean | undefined
  const setDurable = (durable: boolean) => {
    if (durable === durableNow) return
    sql.exec(`pragma synchronous = ${durable ? 'full' : 'normal'}`)
    durableNow = durable
  }
  try {
    sql.exec('pragma journal_mode = wal; pragma busy_timeout = 200')
    setDurable(true)
    migrate(sql, file)
  } catch (error) {
    sql.close()
    throw error
  }
  return {
    sql,
    transaction(durable, work) {
      setDurable(durable)
      sql.exec('begin immediate')
      try {
        const result = work()
        sql.exec('commit')
        return result
      } catch (error) {
        if (sql.isTransaction) sql.exec('rollback')
        throw error
      }
    },
    close: () => sql.close(),
  }
}
