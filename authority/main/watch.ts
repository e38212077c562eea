import { KINDS, type Kind, keyOf } from '../../api/meta.ts'
import type { AnyObject } from '../../api/v1alpha1/index.ts'
import type { Store } from '../../controllers/ports/store.ts'
import type { AdminWatchEvent } from '../admin/backend.ts'

/**
 * The objects there are, then every change, until `signal` aborts. A reader slower than the changes gets only the
 * latest state of each object: memory is bounded by the number of objects.
 */
export async function* storeWatch(
  store: Pick<Store, 'list' | 'subscribe'>,
  filter: { kind?: Kind },
  signal: AbortSignal,
): AsyncGenerator<AdminWatchEvent> {
  const waiting = new Map<string, AdminWatchEvent>()
  const known = new Set<string>()
  let wake = () => {}
  const push = (key: string, event: AdminWatchEvent) => {
    if (filter.kind !== undefined && event.object.kind !== filter.kind) return
    // An ADDED that was not read yet stays one, however often the object changed since.
    const before = waiting.get(key)
    waiting.delete(key)
    waiting.set(key, before?.type === 'ADDED' && event.type === 'MODIFIED' ? { ...event, type: 'ADDED' } : event)
    wake()
  }
  const off = store.subscribe((event) => {
    if (event.type === 'upsert') {
      push(event.key, { type: known.has(event.key) ? 'MODIFIED' : 'ADDED', object: event.object })
      known.add(event.key)
    } else if (event.type === 'removed') {
      push(event.key, { type: 'DELETED', object: event.object })
      known.delete(event.key)
    }
  })
  const onAbort = () => wake()
  signal.addEventListener('abort', onAbort)
  try {
    for (const kind of KINDS) {
      for (const object of store.list(kind) as AnyObject[]) {
        const key = keyOf(kind, object.metadata.name, object.metadata.namespace)
        known.add(key)
        push(key, { type: 'ADDED', object })
      }
    }
    while (!signal.aborted) {
      const first = waiting.entries().next().value
      if (!first) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
        continue
      }
      waiting.delete(first[0])
      yield first[1]
    }
  } finally {
    off()
    signal.removeEventListener('abort', onAbort)
  }
}
