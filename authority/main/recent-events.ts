// What this process told of objects, for `ppn events` on a cluster: the API server has all of it (kubectl get events), and
// the authority is not allowed to read it there.
import type { Clock } from '../../base/clock.ts'
import type { EventRecorder } from '../../controllers/ports/world.ts'
import type { EventFilter, RecordedEvent } from '../../stores/sqlite/event-log.ts'

const KEPT = 1_000

export interface RecentEvents extends EventRecorder {
  /** Newest last. */
  list(filter?: EventFilter): RecordedEvent[]
}

/** Records what `events` records, and remembers the last of it. */
export function recentEvents(events: EventRecorder, clock: Clock): RecentEvents {
  const kept = new Map<string, RecordedEvent>()
  return {
    record(object, type, reason, message) {
      events.record(object, type, reason, message)
      const key = `${object.uid}/${reason}/${object.generation}`
      const nowMs = clock.now()
      const before = kept.get(key)
      const { kind, name, namespace, uid, generation } = object
      kept.delete(key)
      kept.set(key, {
        ...{ kind, name, uid, generation, type, reason, message },
        ...(namespace !== undefined && { namespace }),
        count: (before?.count ?? 0) + 1,
        firstMs: before?.firstMs ?? nowMs,
        lastMs: nowMs,
      })
      const oldest = kept.keys().next().value
      if (kept.size > KEPT && oldest !== undefined) kept.delete(oldest)
    },
    list: (filter = {}) =>
      [...kept.values()].filter((event) =>
        (['kind', 'name', 'namespace', 'type'] as const).every(
          (field) => filter[field] === undefined || event[field] === filter[field],
        ),
      ),
  }
}
