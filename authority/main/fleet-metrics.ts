// What is declared and how it stands, counted anew at each scrape: between scrapes it costs nothing.
import { Gauge, type Registry } from 'prom-client'
import { KINDS } from '../../api/meta.ts'
import { READINESS } from '../../api/readiness/index.ts'
import { CONDITIONS_OF } from '../../api/readiness/table.ts'
import type { Store } from '../../controllers/ports/store.ts'

/** An object that no controller has written a status for yet. */
export const NO_STATUS = 'NoStatus'

export interface FleetMetricsOptions {
  store: Pick<Store, 'list' | 'health'>
  /** It sends and listens from its mesh address. */
  serving(): boolean
  /** A node has shown a longer registry than ours. */
  registryBehind(): boolean
}

/** Registers them; every pair of state and reason that the readiness table knows is there, at zero. */
export function promFleetMetrics(registers: Registry, options: FleetMetricsOptions): void {
  const { store } = options
  const gauge = (name: string, help: string, labelNames: string[], read: (metric: Gauge) => void) =>
    new Gauge({
      ...{ name, help, labelNames, registers: [registers] },
      collect() {
        read(this)
      },
    })
  const bit = (name: string, help: string, read: () => boolean) =>
    gauge(name, help, [], (metric) => metric.set(read() ? 1 : 0))

  gauge('ppn_objects', 'Objects by kind, Ready and its reason', ['kind', 'ready', 'reason'], (metric) => {
    for (const kind of KINDS) {
      for (const { verdict, reason } of READINESS[kind].rows)
        metric.set({ kind, ready: CONDITIONS_OF[verdict].Ready, reason }, 0)
      metric.set({ kind, ready: 'Unknown', reason: NO_STATUS }, 0)
    }
    for (const kind of KINDS)
      for (const { status } of store.list(kind)) {
        const said = status?.conditions.find(({ type }) => type === 'Ready')
        metric.inc({ kind, ready: said?.status ?? 'Unknown', reason: said?.reason ?? NO_STATUS })
      }
  })
  gauge('ppn_store_problems', 'Faults in what is declared', ['severity'], (metric) => {
    for (const severity of ['error', 'warning'])
      metric.set({ severity }, store.health().problems.filter((problem) => problem.severity === severity).length)
  })
  bit('ppn_store_unreadable', '1 while the source cannot be read: everything is held', () => {
    const { synced, unreadable } = store.health()
    return !synced || unreadable !== undefined
  })
  bit('ppn_serving', '1 while it sends and listens from its mesh address', options.serving)
  bit('ppn_registry_behind', '1 when a node has shown a longer registry than ours', options.registryBehind)
}
