// Durable facts by test-and-set. Writes of one turn of the event loop share one transaction (group commit); reads
// show what is durable, never what is on its way.
import { PpnError } from '../../base/errors.ts'
import type { RecordStore, StoredRecord } from '../../controllers/ports/store.ts'
import type { RecordPersistence } from './persistence.ts'
import { indexIn } from './sorted.ts'

interface Waiting {
  key: string
  /** Absent: a removal. */
  record?: StoredRecord
  resolve: () => void
  reject: (error: unknown) => void
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const inner of Object.values(value)) deepFreeze(inner)
  }
  return value
}

export interface FlushableRecords extends RecordStore {
  /** Writes what waits now. */
  flush(): void
}

/** Values must be JSON; they are copied in and handed out frozen. A version is never used twice, by any key. */
export function recordStore(persistence: RecordPersistence): FlushableRecords {
  const records = new Map<string, StoredRecord>()
  const keys: string[] = []
  for (const record of persistence.load()) records.set(record.key, deepFreeze(record))
  keys.push(...[...records.keys()].sort())
  let version = persistence.version()
  let waiting: Waiting[] = []
  const inFlight = new Set<string>()
  /** Writes that lost to one on its way: told only when that one is in, so that a retry sees what it lost to. */
  let lost: (() => void)[] = []

  const remember = ({ key, record }: Waiting) => {
    const { index, found } = indexIn(keys, key)
    if (record) {
      records.set(key, record)
      if (!found) keys.splice(index, 0, key)
    } else {
      records.delete(key)
      if (found) keys.splice(index, 1)
    }
  }
  const flush = () => {
    const group = waiting
    if (group.length === 0) return
    const losers = lost
    waiting = []
    lost = []
    inFlight.clear()
    try {
      const rows = group.flatMap(({ record }) => record ?? [])
      const gone = group.filter(({ record }) => !record).map(({ key }) => key)
      persistence.write(rows, gone, version)
    } catch (error) {
      for (const { reject } of group) reject(error)
      for (const tell of losers) tell()
      return
    }
    group.forEach(remember)
    for (const { resolve } of group) resolve()
    for (const tell of losers) tell()
  }
  const enqueue = (key: string, expected: number, record?: StoredRecord): Promise<void> => {
    if ((records.get(key)?.version ?? 0) !== expected) throw new PpnError('Conflict', { key })
    // A write on its way wins already: should it fail, this refusal costs one more round.
    if (inFlight.has(key)) return new Promise((_, reject) => lost.push(() => reject(new PpnError('Conflict', { key }))))
    inFlight.add(key)
    if (waiting.length === 0) setImmediate(flush)
    return new Promise((resolve, reject) => waiting.push({ key, record, resolve, reject }))
  }

  return {
    flush,
    get: (key) => records.get(key),
    list(prefix) {
      const from = indexIn(keys, prefix).index
      const found: StoredRecord[] = []
      for (let i = from; i < keys.length && keys[i]!.startsWith(prefix); i++) found.push(records.get(keys[i]!)!)
      return found
    },
    async put(key, value, expected) {
      const copy = deepFreeze(JSON.parse(JSON.stringify(value)))
      const record = Object.freeze({ key, value: copy, version: version + 1 })
      const written = enqueue(key, expected, record)
      version++
      await written
      return record
    },
    async delete(key, expected) {
      if (expected === 0 && !records.has(key) && !inFlight.has(key)) return
      await enqueue(key, expected)
    },
  }
}
