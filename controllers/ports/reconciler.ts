// What the runtime runs. It knows keys (strings), not kinds.

/** Done (undefined or {}), or run again after a while even if nothing changes. */
export interface ReconcileResult {
  requeueAfterMs?: number
}

export interface ReconcileContext {
  key: string
  /** Aborts at the attempt deadline and when the manager stops. */
  signal: AbortSignal
  /** Why this run happens, newest last, e.g. `spec changed`, `telemetry of edge-2`, `retry 3`. */
  reasons: readonly string[]
  /** Notes for `ppn explain`: what was planned and what was done. Values must be JSON. */
  note(entry: { planned?: unknown; did?: unknown; message?: string }): void
}

/** A throw is a failed attempt: backed off per (key, generation), counted, shown in explain. Never fatal. */
export type Reconcile = (context: ReconcileContext) => Promise<ReconcileResult | undefined>

export interface ControllerSpec {
  /** Metric label and log name: `archive`. */
  name: string
  reconcile: Reconcile
  /** Runs of different keys at once. Default 4. */
  concurrency?: number
  /** Generation of the key's object: a new one resets its backoff. */
  generation(key: string): number
  /** The controller does not start until this is true. */
  ready(): boolean
  /** Abort an attempt after this long. Default 30 s. */
  attemptDeadlineMs?: number
}

/** The runtime's face to whoever has news: an edge maps an event to keys and calls `enqueue`. */
export type Enqueue = (
  controller: string,
  key: string,
  reason: string,
  /** `priority`: 0 background (resync), 1 normal, 2 a person is waiting. Ageing keeps 0 from starving. */
  options?: { priority?: 0 | 1 | 2; afterMs?: number },
) => void
