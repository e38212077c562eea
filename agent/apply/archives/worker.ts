// Works on one archive: looks, asks the plan for a step, takes it, looks again. One pass at a time; a call during a
// pass causes one more. A slow archive delays no other.
import type { Clock, Timer } from '../../../base/clock.ts'
import type { Logger } from '../../../base/log.ts'
import type { RandomBytes } from '../../../base/random.ts'
import type { BundleArchive } from '../../../protocol/bundle/document.ts'
import { OP } from '../../../protocol/command/ops.ts'
import { compareSequence } from '../../../protocol/ids.ts'
import type { Mark } from '../../../protocol/telemetry/report.ts'
import type { Drivers } from '../../drivers/host.ts'
import { groupCommit } from '../../durable/group-commit.ts'
import { diskOf, type Sidecar } from '../../fence/sidecar.ts'
import { randomInt } from '../../timing/jitter.ts'
import type { Observer } from '../observer.ts'
import { adoptDisk, DiskFailure, type DiskTools, makeDisk, releaseDisk } from './disks.ts'
import { planArchive } from './plan.ts'
import { GOOD_RUN_MS, restartDelayMs } from './restart.ts'
import {
  type ArchiveMemory,
  type ArchivePlan,
  type ArchiveStep,
  type ArchiveView,
  isAlive,
  NOTHING_REMEMBERED,
} from './view.ts'

/** A plan that wants more steps than this in one pass is going round in circles: the next look is a while off. */
const STEPS_A_PASS = 16
const RETRY_MS = 5_000
const DISK_RETRY_MS = 30_000

/** What the bundle in force says; read anew at every look. */
export interface ArchiveOrders {
  definition: BundleArchive
  mayStart: boolean
  balloonPolicy: 'Auto' | 'Manual'
}

export interface WorkerOptions {
  clock: Clock
  random: RandomBytes
  log: Logger
  drivers: Drivers
  disks: DiskTools
  observer: Observer
  /** undefined: no longer in the bundle; nothing is done to it. */
  orders(): ArchiveOrders | undefined
  /** Marks not void. */
  mark(op: Mark['op']): Mark | undefined
  changed(): void
  /** A disk was adopted, retained or deleted. */
  disksChanged(): void
}

export interface ArchiveWorker {
  /** Resolves when a pass that began after the call has ended. Never rejects. */
  run(): Promise<void>
  described(): ArchivePlan | undefined
  memory(): ArchiveMemory
  sidecar(): Sidecar | undefined
  weight(): number | undefined
}

export function createArchiveWorker(options: WorkerOptions, signal: AbortSignal): ArchiveWorker {
  const { clock, log, drivers, disks, observer } = options
  let memory: ArchiveMemory = NOTHING_REMEMBERED
  let plan: ArchivePlan | undefined
  let seenSidecar: Sidecar | undefined
  let cpuWeight: number | undefined
  let wake: Timer | undefined
  let making = new AbortController()

  const look = async (orders: ArchiveOrders): Promise<ArchiveView> => {
    // A disk that is finished while we read may show its sidecar as it was before: it counts as still being made, and
    // the pass that its end calls for reads anew.
    const wasMaking = memory.making
    await observer.vms()
    const { definition } = orders
    const sidecar = await disks.sidecars.read(definition.id)
    seenSidecar = sidecar === 'unreadable' ? undefined : sidecar
    const [disk, weight] = await Promise.all([
      drivers.image.disk(seenSidecar ? diskOf(seenSidecar) : definition.id),
      drivers.cgroup.weight(definition.id),
    ])
    cpuWeight = weight
    const vm = observer.get().vms.get(definition.id)
    const nowMs = clock.monotonic()
    const power = options.mark(OP.POWER)
    // Under Auto no BALLOON is in force: when Manual returns, what it asks for has its whole time again.
    const balloon = orders.balloonPolicy === 'Manual' ? options.mark(OP.BALLOON) : undefined
    memory = remember(memory, { vm, power, balloon, nowMs }, (n) =>
      restartDelayMs(n, randomInt(options.random, 1000) / 1000),
    )
    return {
      ...orders,
      power,
      balloon,
      weight: options.mark(OP.WEIGHT),
      vm,
      disk,
      sidecar,
      released: disks.fence.released(definition.id),
      fenceLost: disks.fence.lost,
      overridden: disks.overridden?.(definition.id),
      cpuWeight,
      cpuUnavailable: drivers.cgroup.unavailable(),
      memory: wasMaking ? { ...memory, making: true } : memory,
      nowMs,
    }
  }

  /** Making a disk takes minutes and holds up nothing: commands are obeyed meanwhile. */
  const makeBeside = (make: (signal: AbortSignal) => Promise<void>): void => {
    making = new AbortController()
    memory = { ...memory, making: true }
    const { diskError: _forgotten, ...rest } = memory
    memory = rest
    make(AbortSignal.any([signal, making.signal]))
      .catch((error) => {
        if (signal.aborted || making.signal.aborted) return
        const code = error instanceof DiskFailure ? error.code : 'DiskFailed'
        log.warn({ code, err: String(error) }, 'no disk for an archive')
        memory = { ...memory, diskError: { code, message: short(error), retryAtMs: clock.monotonic() + DISK_RETRY_MS } }
      })
      .finally(() => {
        memory = { ...memory, making: false }
        void worker.run()
      })
  }

  const take = async (step: ArchiveStep, { definition }: ArchiveOrders): Promise<void> => {
    const { id } = definition
    const nowMs = clock.monotonic()
    if (memory.power) memory = { ...memory, power: { ...memory.power, asked: true } }
    switch (step.do) {
      case 'make':
        return makeBeside((s) => makeDisk(disks, definition, s))
      case 'adopt':
        return makeBeside(() => adoptDisk(disks, definition, step.disk).then(options.disksChanged))
      case 'release':
        return releaseDisk(disks, definition, step.disk).then(options.disksChanged)
      case 'start': {
        // Durable first: a crash in between costs a start, never a second one.
        await disks.sidecars.write({ ...seenSidecar!, fencingEpoch: definition.fencingEpoch, started: step.mark })
        const { slot, vcpus, floorMiB, maxMiB, image } = definition
        const again = memory.startedMs !== undefined
        if (memory.power) memory = { ...memory, power: { ...memory.power, sinceMs: nowMs } }
        memory = { ...memory, alive: true, startedMs: nowMs, restarts: memory.restarts + (again ? 1 : 0) }
        await drivers.vm.start({ id, slot, disk: step.disk.path, format: image.format, vcpus, floorMiB, maxMiB })
        const { startError: _forgotten, ...rest } = memory
        memory = rest
        await drivers.cgroup
          .enter?.(id)
          .catch((error) => log.warn({ err: String(error) }, 'a VM has no group of its own'))
        return
      }
      case 'stop':
        return drivers.vm.stop(id)
      case 'cut':
        return drivers.vm.cut(id)
      case 'pause':
        return drivers.vm.pause(id)
      case 'resume':
        return drivers.vm.resume(id)
      case 'weight':
        return drivers.cgroup.setWeight(id, step.weight)
      case 'memory':
        return drivers.vm.setMemoryTarget(id, step.target, definition.floorMiB)
      case 'giveUpMemory':
        if (memory.balloon) memory = { ...memory, balloon: { ...memory.balloon, givenUp: step.reason } }
        return drivers.vm.setMemoryTarget(id, step.target, definition.floorMiB)
    }
  }

  const failedStep = (step: ArchiveStep, error: unknown): void => {
    log.warn({ step: step.do, err: String(error) }, 'a step towards an archive failed')
    if (step.do === 'release') memory = { ...memory, removeError: short(error) }
    if (step.do === 'start') memory = { ...memory, startError: short(error) }
  }

  const pass = async (): Promise<void> => {
    wake?.cancel()
    for (let steps = 0; steps < STEPS_A_PASS && !signal.aborted; steps++) {
      const orders = options.orders()
      if (!orders) {
        plan = undefined
        return
      }
      if (orders.definition.remove) making.abort()
      const before = plan
      const view = await look(orders)
      if (signal.aborted) return
      plan = planArchive(view)
      if (JSON.stringify(plan) !== JSON.stringify(before)) options.changed()
      const { step, wakeMs } = plan
      if (!step) {
        if (wakeMs !== undefined) wake = clock.after(Math.max(1, wakeMs - clock.monotonic()), () => void worker.run())
        return
      }
      try {
        await take(step, orders)
      } catch (error) {
        failedStep(step, error)
        break
      }
    }
    if (!signal.aborted) wake = clock.after(RETRY_MS, () => void worker.run())
  }

  const passes = groupCommit(() =>
    pass().catch((error) => {
      log.warn({ err: String(error) }, 'looking after an archive failed')
      if (!signal.aborted) wake = clock.after(RETRY_MS, () => void worker.run())
    }),
  )
  signal.addEventListener('abort', () => wake?.cancel(), { once: true })

  const worker: ArchiveWorker = {
    run: () => passes.commit(),
    described: () => plan,
    memory: () => memory,
    sidecar: () => seenSidecar,
    weight: () => cpuWeight,
  }
  return worker
}

function short(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, 256)
}

/** What a look adds to the memory: a new command starts its time, an end of the VM counts as a failure. */
function remember(
  memory: ArchiveMemory,
  seen: Pick<ArchiveView, 'vm' | 'power' | 'balloon' | 'nowMs'>,
  delayMs: (failures: number) => number,
): ArchiveMemory {
  const { vm, power, balloon, nowMs } = seen
  const alive = isAlive(vm)
  let next = { ...memory, alive }
  if (power && (!memory.power || compareSequence(memory.power.mark, power) !== 0)) {
    const { startError: _forgotten, ...rest } = next
    next = { ...rest, power: { mark: power, sinceMs: nowMs, asked: false }, failures: 0, retryAtMs: 0 }
  }
  const ended = memory.alive && !alive
  if (ended) {
    const goodRun = memory.startedMs !== undefined && nowMs - memory.startedMs >= GOOD_RUN_MS
    const failures = goodRun ? 1 : next.failures + 1
    next = { ...next, failures, retryAtMs: nowMs + delayMs(failures) }
  }
  const freshBalloon = balloon && (ended || !memory.balloon || compareSequence(memory.balloon.mark, balloon) !== 0)
  if (freshBalloon) return { ...next, balloon: { mark: balloon, sinceMs: nowMs } }
  if (balloon) return next
  const { balloon: _forgotten, ...rest } = next
  return rest
}
