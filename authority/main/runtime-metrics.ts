// The runtime's metrics under the names of controller-runtime, every label at zero from the first scrape.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { RESULTS, type RuntimeMetrics } from '../../controllers/runtime/metrics.ts'

/** Upper bounds in seconds; controller-runtime's, thinned out. */
const BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60]

export function promRuntimeMetrics(registers: Registry, controllers: readonly string[]): RuntimeMetrics {
  const counter = (name: string, help: string, labelNames: string[]) =>
    new Counter({ name, help, labelNames, registers: [registers] })
  const gauge = (name: string, help: string, labelNames: string[]) =>
    new Gauge({ name, help, labelNames, registers: [registers] })
  const histogram = (name: string, help: string, labelNames: string[]) =>
    new Histogram({ name, help, labelNames, buckets: BUCKETS, registers: [registers] })

  const total = counter('controller_runtime_reconcile_total', 'Reconciliations by result', ['controller', 'result'])
  const errors = counter('controller_runtime_reconcile_errors_total', 'Reconciliations that failed', ['controller'])
  const panics = counter('controller_runtime_reconcile_panics_total', 'Throws that were no Error', ['controller'])
  const seconds = histogram('controller_runtime_reconcile_time_seconds', 'Length of reconciliations', ['controller'])
  const active = gauge('controller_runtime_active_workers', 'Reconciliations under way', ['controller'])
  const adds = counter('workqueue_adds_total', 'Keys added to the queue', ['name'])
  const depth = gauge('workqueue_depth', 'Keys waiting', ['name'])
  const queued = histogram('workqueue_queue_duration_seconds', 'Time that keys waited', ['name'])
  const retries = counter('workqueue_retries_total', 'Keys that are tried again', ['name'])

  for (const controller of controllers) {
    for (const result of RESULTS) total.inc({ controller, result }, 0)
    for (const metric of [errors, panics]) metric.inc({ controller }, 0)
    active.set({ controller }, 0)
    for (const metric of [adds, retries]) metric.inc({ name: controller }, 0)
    depth.set({ name: controller }, 0)
    seconds.zero({ controller })
    queued.zero({ name: controller })
  }
  return {
    reconciled(controller, result, took) {
      total.inc({ controller, result })
      seconds.observe({ controller }, took)
      if (result === 'error') errors.inc({ controller })
    },
    panicked: (controller) => panics.inc({ controller }),
    added: (controller) => adds.inc({ name: controller }),
    depth: (controller, value) => depth.set({ name: controller }, value),
    queued: (controller, waited) => queued.observe({ name: controller }, waited),
    retried: (controller) => retries.inc({ name: controller }),
    active: (controller, workers) => active.set({ controller }, workers),
  }
}
