// Rows changed since the last write, written together at the end of the turn.
import type { ObjectKey } from '../../api/meta.ts'
import type { Logger } from '../../base/log.ts'
import type { ObjectPersistence } from './persistence.ts'
import { keyOfStored, type StoredObject } from './stored.ts'

export interface WriteBehind {
  /** The row of `key` changed and may be lost with the power: status can always be rebuilt. */
  touch(key: ObjectKey): void
  /** The row of `key` changed; resolves when it is durable, rejects when it could not be written. */
  settle(key: ObjectKey): Promise<void>
  /** Writes now, together with whatever waits. Throws when nothing could be written; then all of it waits on. */
  flush(extra?: { rows: readonly StoredObject[]; gone: readonly ObjectKey[] }): void
}

export function writeBehind(
  persistence: ObjectPersistence,
  rows: ReadonlyMap<ObjectKey, StoredObject>,
  resourceVersion: () => number,
  log: Logger,
): WriteBehind {
  const dirty = new Set<ObjectKey>()
  let waiting: { resolve: () => void; reject: (error: unknown) => void }[] = []
  let scheduled = false

  const flush: WriteBehind['flush'] = (extra = { rows: [], gone: [] }) => {
    scheduled = false
    if (dirty.size === 0 && waiting.length === 0 && extra.rows.length === 0 && extra.gone.length === 0) return
    const replaced = new Set(extra.gone)
    const put = [...extra.rows]
    const gone = [...extra.gone]
    // Rows of `extra` come from the newest ones, so what is dirty among them is covered.
    for (const row of extra.rows) replaced.add(keyOfStored(row))
    for (const key of dirty) {
      if (replaced.has(key)) continue
      const row = rows.get(key)
      if (row) put.push(row)
      else gone.push(key)
    }
    const group = waiting
    waiting = []
    try {
      persistence.write(put, gone, resourceVersion(), group.length > 0 || extra.rows.length + extra.gone.length > 0)
    } catch (error) {
      for (const { reject } of group) reject(error)
      throw error
    }
    dirty.clear()
    for (const { resolve } of group) resolve()
  }
  const schedule = () => {
    if (scheduled) return
    scheduled = true
    setImmediate(() => {
      try {
        flush()
      } catch (error) {
        log.error({ err: error }, 'objects could not be written; tried again with the next change')
      }
    })
  }
  return {
    touch(key) {
      dirty.add(key)
      schedule()
    },
    settle(key) {
      dirty.add(key)
      schedule()
      return new Promise((resolve, reject) => waiting.push({ resolve, reject }))
    },
    flush,
  }
}
