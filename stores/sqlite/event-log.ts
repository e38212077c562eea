// What happened to objects, for people: one row per (object, reason, generation), counted.
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import type { EventRecorder, EventType } from '../../controllers/ports/world.ts'
import { batch } from './batch.ts'
import type { Database } from './open.ts'

/** Events kept; the longest unrepeated go first. */
const EVENT_LIMIT = 10_000

export interface RecordedEvent {
  kind: string
  name: string
  namespace?: string
  uid: string
  generation: number
  type: EventType
  reason: string
  /** As last told. */
  message: string
  count: number
  /** Clock.now() of the first and the last time. */
  firstMs: number
  lastMs: number
}

export interface EventFilter {
  kind?: string
  name?: string
  namespace?: string
  type?: EventType
}

export interface EventLog extends EventRecorder {
  /** Newest last. */
  list(filter?: EventFilter): RecordedEvent[]
  flush(): void
}

type Item = Omit<RecordedEvent, 'count' | 'firstMs'>

export function eventLog(database: Database, clock: Clock, log: Logger, limit = EVENT_LIMIT): EventLog {
  const { sql } = database
  const put = sql.prepare(`
    insert into event values (?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?)
    on conflict (uid, reason, generation) do update
    set count = count + 1, last_ms = excluded.last_ms, message = excluded.message, type = excluded.type`)
  const count = sql.prepare('select count(*) as rows from event')
  const dropOldest = sql.prepare(`
    delete from event where (uid, reason, generation) in
    (select uid, reason, generation from event order by last_ms, first_ms limit ?)`)
  const all = sql.prepare('select * from event order by last_ms, first_ms, uid, reason')
  const counted = () => Number(count.get()?.rows)
  /** Never below the number of rows: the table is counted only when it may be too long. */
  let atMost = counted()
  const items = batch<Item>(database, log, (news) => {
    for (const e of news) {
      const { uid, reason, generation, kind, namespace = '', name, type, message, lastMs } = e
      put.run(uid, reason, generation, kind, namespace, name, type, message, lastMs, lastMs)
    }
    atMost += news.length
    if (atMost <= limit) return
    const rows = counted()
    if (rows > limit) dropOldest.run(rows - limit)
    atMost = Math.min(rows, limit)
  })
  const wanted = (event: RecordedEvent, filter: EventFilter) =>
    Object.entries(filter).every(([field, value]) => value === undefined || event[field as keyof EventFilter] === value)

  return {
    flush: items.flush,
    record({ kind, name, namespace, uid, generation }, type, reason, message) {
      items.add({ kind, name, namespace, uid, generation, type, reason, message, lastMs: clock.now() })
    },
    list(filter = {}) {
      items.flush()
      return all
        .all()
        .map((row): RecordedEvent => {
          const { first_ms, last_ms, namespace, ...rest } = row as Record<string, unknown>
          const event = { ...rest, firstMs: first_ms, lastMs: last_ms } as RecordedEvent
          return namespace === '' ? event : { ...event, namespace: String(namespace) }
        })
        .filter((event) => wanted(event, filter))
    },
  }
}
