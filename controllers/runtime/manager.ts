import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import type { ControllerSpec, Enqueue } from '../ports/reconciler.ts'
import type { BackoffOptions } from './backoff.ts'
import { createHistory, type RunRecord } from './history.ts'
import { noRuntimeMetrics, type RuntimeMetrics } from './metrics.ts'
import { createRunner, type Runner } from './runner.ts'

export interface ManagerOptions {
  clock: Clock
  log: Logger
  random01: () => number
  metrics?: RuntimeMetrics
  backoff?: BackoffOptions
  /** Gets every run that planned or did something, or failed. */
  keep?(run: RunRecord): void
}

/**
 * Runs controllers. Keys may be enqueued from the first moment; each controller begins to run them when its `ready`
 * says so, which is asked at `start` and at every `poke`.
 */
export interface Manager {
  add(spec: ControllerSpec): void
  readonly enqueue: Enqueue
  start(): void
  /** Something that `ready` depends on may have changed (a source has synced). */
  poke(): void
  stop(): Promise<void>
  /** Every controller runs and has nothing left to do just now. */
  idle(): boolean
  /** The last runs of a key, oldest first, over all controllers. */
  history(key: string): RunRecord[]
  forget(key: string): void
}

export function createManager(options: ManagerOptions): Manager {
  const { clock, log, random01 } = options
  const metrics = options.metrics ?? noRuntimeMetrics
  const history = createHistory(options.keep)
  const controllers = new Map<string, { spec: ControllerSpec; runner: Runner; started: boolean }>()
  let started = false

  const poke = () => {
    if (!started) return
    for (const controller of controllers.values()) {
      if (controller.started || !controller.spec.ready()) continue
      controller.started = true
      log.debug({ controller: controller.spec.name }, 'controller started')
      controller.runner.start()
    }
  }

  return {
    add(spec) {
      if (controllers.has(spec.name)) throw new TypeError(`two controllers are named ${spec.name}`)
      const runner = createRunner({ spec, clock, log, random01, history, metrics, backoff: options.backoff })
      controllers.set(spec.name, { spec, runner, started: false })
      poke()
    },
    enqueue(controller, key, reason, { priority = 1, afterMs = 0 } = {}) {
      const target = controllers.get(controller)
      if (!target) throw new TypeError(`no controller is named ${controller}`)
      target.runner.add(key, reason, priority, afterMs)
    },
    start() {
      started = true
      poke()
    },
    poke,
    async stop() {
      await Promise.all([...controllers.values()].map((c) => c.runner.stop()))
    },
    idle: () => [...controllers.values()].every((c) => c.started && c.runner.idle()),
    history: (key) => history.of(key),
    forget: (key) => history.forget(key),
  }
}
