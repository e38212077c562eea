// The last reconciles of every key, for `ppn explain`.
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import { batch } from './batch.ts'
import type { Database } from './open.ts'

/** Rows kept for each key. */
const HISTORY_LIMIT = 20

export interface HistoryRow {
  /** Clock.now() when it was appended. */
  atMs: number
  /** JSON, as it was given. */
  entry: unknown
}

export interface History {
  append(key: string, entry: unknown): void
  /** Oldest first. */
  list(key: string): HistoryRow[]
  flush(): void
}

export function reconcileHistory(database: Database, clock: Clock, log: Logger, limit = HISTORY_LIMIT): History {
  const { sql } = database
  const put = sql.prepare('insert into history (key, at_ms, entry) values (?, ?, ?)')
  const prune = sql.prepare(`
    delete from history where key = ?1 and id <=
    (select id from history where key = ?1 order by id desc limit 1 offset ?2)`)
  const select = sql.prepare('select at_ms, entry from history where key = ? order by id')
  const items = batch<{ key: string; atMs: number; entry: string }>(database, log, (news) => {
    for (const { key, atMs, entry } of news) put.run(key, atMs, entry)
    for (const key of new Set(news.map((item) => item.key))) prune.run(key, limit)
  })
  return {
    flush: items.flush,
    append: (key, entry) => items.add({ key, atMs: clock.now(), entry: JSON.stringify(entry) }),
    list(key) {
      items.flush()
      return select.all(key).map((row) => ({ atMs: Number(row.at_ms), entry: JSON.parse(String(row.entry)) }))
    },
  }
}
