// Which nodes were Connected when the process ended: whom the next start listens for. A hint, written at most once
// a second and only when it changes; a node leaves it by falling silent, not by not having been heard yet.
import type { Clock, Timer } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import type { Fleet } from '../../controllers/ports/fleet.ts'
import type { RecordStore } from '../../controllers/ports/store.ts'

const LAST_CONNECTED_RECORD = 'lastConnected'
const WRITE_EVERY_MS = 1_000

export function lastConnected(records: Pick<RecordStore, 'get'>): readonly string[] {
  return (records.get(LAST_CONNECTED_RECORD)?.value as string[] | undefined) ?? []
}

/** Keeps the record current until the signal aborts. */
export function rememberConnected(
  options: {
    records: Pick<RecordStore, 'get' | 'put'>
    fleet: Pick<Fleet, 'view' | 'subscribe'>
    clock: Clock
    log: Logger
  },
  signal: AbortSignal,
): void {
  const { records, fleet, clock, log } = options
  const nodes = new Set(lastConnected(records))
  let timer: Timer | undefined

  const write = async (): Promise<void> => {
    timer = undefined
    const record = records.get(LAST_CONNECTED_RECORD)
    const value = [...nodes].sort()
    if (JSON.stringify(value) === JSON.stringify(record?.value ?? [])) return
    await records.put(LAST_CONNECTED_RECORD, value, record?.version ?? 0)
  }
  const stop = fleet.subscribe((node) => {
    const { liveness } = fleet.view(node)
    const changed = liveness === 'Fresh' ? !nodes.has(node) : liveness === 'Stale' && nodes.has(node)
    if (!changed) return
    if (liveness === 'Fresh') nodes.add(node)
    else nodes.delete(node)
    timer ??= clock.after(WRITE_EVERY_MS, () => {
      write().catch((error: unknown) => log.warn({ error: String(error) }, 'who is Connected could not be recorded'))
    })
  })
  signal.addEventListener(
    'abort',
    () => {
      stop()
      timer?.cancel()
    },
    { once: true },
  )
}
