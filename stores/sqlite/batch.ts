import type { Logger } from '../../base/log.ts'
import type { Database } from './open.ts'

export interface Batch<T> {
  add(item: T): void
  /** Writes what waits. Logs a failure and drops the items: they are news, not facts. */
  flush(): void
}

/** Gathers the items of one turn of the event loop into one transaction, which a power cut may take back. */
export function batch<T>(database: Database, log: Logger, write: (items: readonly T[]) => void): Batch<T> {
  let items: T[] = []
  const flush = () => {
    if (items.length === 0) return
    const now = items
    items = []
    try {
      database.transaction(false, () => write(now))
    } catch (error) {
      log.error({ err: error, lost: now.length }, 'history could not be written')
    }
  }
  return {
    add(item) {
      if (items.length === 0) setImmediate(() => database.sql.isOpen && flush())
      items.push(item)
    },
    flush,
  }
}
