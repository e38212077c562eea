// Asks the plan every second and tells the guests. Runs on the node alone, from the bundle in force.
import type { Clock, Timer } from '../../../base/clock.ts'
import type { Logger } from '../../../base/log.ts'
import type { BundleContent } from '../../../protocol/bundle/document.ts'
import type { Slot } from '../../../protocol/ids.ts'
import type { Drivers } from '../../drivers/host.ts'
import { isAlive } from '../archives/view.ts'
import type { Observer } from '../observer.ts'
import { type BalloonMemory, NO_BALLOON_MEMORY, planBalloon } from './plan.ts'

const TICK_MS = 1_000
/** cpu.weight's default (cgroup v2), for an archive never told one. */
const DEFAULT_WEIGHT = 100

export interface BalloonLoopOptions {
  clock: Clock
  log: Logger
  drivers: Drivers
  observer: Observer
  /** Of the applied bundle; undefined: there is none. */
  content(): BundleContent | undefined
  weight(slot: Slot): number | undefined
  changed(): void
}

/** Runs until the signal aborts; targets stay as they are then. */
export function runBalloonLoop(options: BalloonLoopOptions, signal: AbortSignal): void {
  const { clock, log, drivers, observer } = options
  let memory: BalloonMemory = NO_BALLOON_MEMORY

  const tick = async (): Promise<void> => {
    const content = options.content()
    if (content?.pool.balloon.policy !== 'Auto') {
      memory = NO_BALLOON_MEMORY
      return
    }
    const alive = [...observer.get().vms.values()].filter(isAlive)
    if (alive.length === 0) return
    await Promise.all([observer.vms(), observer.host()])
    const { vms, capacity, usage } = observer.get()
    const running = content.archives.flatMap((definition) => {
      const vm = vms.get(definition.id)
      if (vm?.lifecycle !== 'running') return []
      const { id, floorMiB, maxMiB, slot } = definition
      const { memoryActualMiB: actualMiB, memoryTargetMiB: targetMiB, balloon } = vm
      return [{ id, floorMiB, maxMiB, weight: options.weight(slot) ?? DEFAULT_WEIGHT, actualMiB, targetMiB, balloon }]
    })
    const asked = new Set(running.map((vm) => vm.id))
    const heldMiB = [...vms.values()]
      .filter((vm) => isAlive(vm) && !asked.has(vm.id))
      .reduce((sum, vm) => sum + vm.memoryActualMiB, 0)
    const plan = planBalloon(memory, {
      policy: content.pool,
      physicalMiB: capacity.memoryMiB,
      freeMiB: usage.memoryFreeMiB,
      psiSomeAvg10: usage.psiSomeAvg10,
      vms: running,
      heldMiB,
      ...(usage.vmOverheadMiB !== undefined && { overheadMiB: usage.vmOverheadMiB }),
      nowMs: clock.monotonic(),
    })
    memory = plan.memory
    for (const { id, target } of plan.targets) await drivers.vm.setMemoryTarget(id, target)
    if (plan.targets.length > 0) options.changed()
  }
  let timer: Timer
  const beat = () => {
    tick()
      .catch((error) => log.warn({ err: String(error) }, 'the balloons could not be seen to'))
      .finally(() => {
        if (!signal.aborted) timer = clock.after(TICK_MS, beat)
      })
  }
  timer = clock.after(TICK_MS, beat)
  signal.addEventListener('abort', () => timer.cancel(), { once: true })
}
