// The names follow controller-runtime, so that its dashboards and alerts fit.

export const RESULTS = ['success', 'error', 'requeue_after'] as const
export type Result = (typeof RESULTS)[number]

export interface RuntimeMetrics {
  /** `controller_runtime_reconcile_total`, `controller_runtime_reconcile_time_seconds`. */
  reconciled(controller: string, result: Result, seconds: number): void
  /** `controller_runtime_reconcile_panics_total`: a throw that is not an Error, or after the deadline. */
  panicked(controller: string): void
  /** `workqueue_adds_total`. */
  added(controller: string): void
  /** `workqueue_depth`. */
  depth(controller: string, depth: number): void
  /** `workqueue_queue_duration_seconds`. */
  queued(controller: string, seconds: number): void
  /** `workqueue_retries_total`. */
  retried(controller: string): void
  /** `controller_runtime_active_workers`. */
  active(controller: string, workers: number): void
}

export const noRuntimeMetrics: RuntimeMetrics = {
  reconciled: () => {},
  panicked: () => {},
  added: () => {},
  depth: () => {},
  queued: () => {},
  retried: () => {},
  active: () => {},
}
