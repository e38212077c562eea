// Metrics of an authority on a cluster. Leadership and requests under the names of client-go, so that dashboards of
// controller-runtime fit; every label that is known beforehand at zero from the first scrape.
import { Counter, Gauge, type Registry } from 'prom-client'
import { KINDS } from '../../api/meta.ts'
import { type KubeCounts, WRITTEN } from '../../stores/kube/instrumented.ts'

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const
/** What an API server answers in good and bad days; `<error>`: nothing. */
const CODES = ['200', '201', '404', '409', '410', '422', '429', '500', '503', '504', '<error>'] as const

export interface KubeMetrics extends KubeCounts {
  leading(now: boolean): void
}

export interface KubeMetricsOptions {
  registers: Registry
  /** Name of the Lease. */
  lease: string
  /** host:port of the API server. */
  host: string
  /** Seconds since the last word from the server about each kind; undefined before the first. */
  watchAgeS(kind: string): number | undefined
  ready(): boolean
}

export function kubeMetrics({ registers: registry, lease, host, watchAgeS, ready }: KubeMetricsOptions): KubeMetrics {
  const registers = [registry]
  const leader = new Gauge({
    ...{ name: 'leader_election_master_status', help: '1 while this replica leads', labelNames: ['name'], registers },
  })
  leader.set({ name: lease }, 0)
  const requests = new Counter({
    name: 'rest_client_requests_total',
    help: 'Requests to the API server by method and code; <error>: no answer came',
    ...{ labelNames: ['code', 'method', 'host'], registers },
  })
  for (const method of METHODS) for (const code of CODES) requests.inc({ code, method, host }, 0)
  const writes = new Counter({
    name: 'ppn_kube_writes_total',
    help: 'Writes that the API server took, by what was written',
    ...{ labelNames: ['what'], registers },
  })
  for (const what of WRITTEN) writes.inc({ what }, 0)
  new Gauge({
    name: 'ppn_kube_watch_age_seconds',
    help: 'Since the last word from the API server about a kind; -1 before the first',
    ...{ labelNames: ['kind'], registers },
    collect() {
      for (const kind of [...KINDS, 'Record']) this.set({ kind }, watchAgeS(kind) ?? -1)
    },
  })
  new Gauge({
    name: 'ppn_ready',
    help: '1 while /readyz says ok',
    registers,
    collect() {
      this.set(ready() ? 1 : 0)
    },
  })
  return {
    leading: (now) => leader.set({ name: lease }, now ? 1 : 0),
    request: (method, code) => requests.inc({ code, method, host }),
    written: (what) => writes.inc({ what }),
  }
}
