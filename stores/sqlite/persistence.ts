// Objects and records in the database, as the common part of the stores asks for them.
import { parseKey } from '../../api/meta.ts'
import { parseSpec } from '../../api/parse.ts'
import type { AnyObject } from '../../api/v1alpha1/index.ts'
import type { ObjectPersistence, Persistence, RecordPersistence } from '../common/persistence.ts'
import { keyOfStored, type StoredObject } from '../common/stored.ts'
import type { Database } from './open.ts'

interface ObjectRow {
  key: string
  origin: string
  file: string | null
  committed: number
  metadata: string
  raw: string
  spec: string
  status: string | null
}

/**
 * The accepted spec is what the author's text means to this version of ppn (a newer one may know more defaults), or,
 * where this version would no longer accept it, what it meant when it was accepted.
 */
function readObject(row: ObjectRow): StoredObject {
  const { kind } = parseKey(row.key)
  const raw = JSON.parse(row.raw)
  const again = parseSpec(kind, raw)
  const object = {
    kind,
    metadata: JSON.parse(row.metadata),
    spec: again.ok ? again.spec : JSON.parse(row.spec),
    ...(row.status === null ? {} : { status: JSON.parse(row.status) }),
  } as AnyObject
  return {
    object,
    raw,
    origin: row.origin as StoredObject['origin'],
    committed: row.committed === 1,
    ...(row.file === null ? {} : { file: row.file }),
  }
}

function counters({ sql }: Database) {
  const read = sql.prepare('select value from counter where name = ?')
  const write = sql.prepare('insert into counter values (?, ?) on conflict (name) do update set value = excluded.value')
  return {
    read: (name: string) => Number(read.get(name)?.value ?? 0),
    write: (name: string, value: number) => void write.run(name, value),
  }
}

function objectPersistence(database: Database): ObjectPersistence {
  const { sql } = database
  const counter = counters(database)
  const put = sql.prepare('insert or replace into object values (?, ?, ?, ?, ?, ?, ?, ?)')
  const remove = sql.prepare('delete from object where key = ?')
  return {
    load: () => (sql.prepare('select * from object').all() as unknown as ObjectRow[]).map(readObject),
    resourceVersion: () => counter.read('resourceVersion'),
    write(rows, gone, resourceVersion, durable) {
      database.transaction(durable, () => {
        for (const key of gone) remove.run(key)
        for (const row of rows) {
          const { object, raw, origin, file, committed } = row
          const status = object.status === undefined ? null : JSON.stringify(object.status)
          const { metadata, spec } = object
          const json = [metadata, raw, spec].map((part) => JSON.stringify(part))
          put.run(keyOfStored(row), origin, file ?? null, committed ? 1 : 0, ...json, status)
        }
        counter.write('resourceVersion', resourceVersion)
      })
    },
  }
}

function recordPersistence(database: Database): RecordPersistence {
  const { sql } = database
  const counter = counters(database)
  const put = sql.prepare('insert or replace into record values (?, ?, ?)')
  const remove = sql.prepare('delete from record where key = ?')
  return {
    load: () =>
      (sql.prepare('select * from record').all() as { key: string; value: string; version: number }[]).map((row) => ({
        key: row.key,
        value: JSON.parse(row.value),
        version: row.version,
      })),
    version: () => counter.read('recordVersion'),
    write(rows, gone, version) {
      database.transaction(true, () => {
        for (const key of gone) remove.run(key)
        for (const { key, value, version: at } of rows) put.run(key, JSON.stringify(value), at)
        counter.write('recordVersion', version)
      })
    },
  }
}

export function sqlitePersistence(database: Database): Persistence {
  return {
    objects: objectPersistence(database),
    records: recordPersistence(database),
    close: () => database.close(),
  }
}
