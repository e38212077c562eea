import type { Logger } from '../../base/log.ts'
import type { StoreEvent } from '../../controllers/ports/store.ts'

export interface Listeners {
  add(listener: (event: StoreEvent) => void): () => void
  /**
   * Every listener gets every event in the one order of changes: what a listener causes comes after what it was
   * told. A listener that throws is logged and harms no other.
   */
  emit(events: readonly StoreEvent[]): void
}

export function eventListeners(log: Logger): Listeners {
  const listeners = new Set<(event: StoreEvent) => void>()
  const queue: StoreEvent[] = []
  let draining = false

  const tell = (event: StoreEvent) => {
    for (const listener of [...listeners]) {
      try {
        listener(event)
      } catch (error) {
        log.error({ err: error, event: event.type }, 'a listener of the store failed')
      }
    }
  }
  return {
    add(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    emit(events) {
      for (const event of events) queue.push(event)
      if (draining) return
      draining = true
      for (let event = queue.shift(); event; event = queue.shift()) tell(event)
      draining = false
    },
  }
}
