// Asks the plan every second and tells the guests. Runs on the node alone, from the bundle in force.
import type { Clock, Timer } from '../../../base/clock.ts'
import type { Logger } from '../../../base/log.ts'
import type { BundleContent } from '../../../protocol/bundle/document.ts'
import type { ArchiveId, MiB, Slot } from '../../../protocol/ids.ts'
import type { Drivers } from '../../drivers/host.ts'
import { isAlive } from '../archives/view.ts'
import type { Observer } from '../observer.ts'
import { type BalloonMemory, type BalloonVm, NO_BALLOON_MEMORY, planBalloon } from './plan.ts'

const TICK_MS = 1_000
/** cpu.weight's default (cgroup v2), for an archive never told one. */
const DEFAULT_WEIGHT = 100

export interface BalloonLoopOptions {
  clock: Clock
  log: Logger
  drivers: Drivers
  observer: Observer
  /** Of the applied bundle; undefined: there is none. */
  content(): Pick<BundleContent, 'pool' | 'archives'> | undefined
  weight(slot: Slot): number | undefined
  changed(): void
}

/** Runs until the signal aborts; targets stay as they are then. */
export function runBalloonLoop(options: BalloonLoopOptions, signal: AbortSignal): void {
  const { clock, log, drivers, observer } = options
  let memory: BalloonMemory = NO_BALLOON_MEMORY

  const available = async (id: ArchiveId): Promise<MiB | undefined> =>
    (await drivers.vm.guestStats?.(id).catch(() => undefined))?.availableMiB

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
    const running: BalloonVm[] = content.archives.flatMap((definition) => {
      const vm = vms.get(definition.id)
      if (vm?.lifecycle !== 'running') return []
      const { id, floorMiB, slot } = definition
      // More than it was started with a guest cannot have, whatever its definition says since.
      const maxMiB = Math.min(definition.maxMiB, vm.maxMiB ?? definition.maxMiB)
      const { memoryActualMiB: actualMiB, memoryTargetMiB: targetMiB, balloon } = vm
      return [{ id, floorMiB, maxMiB, weight: options.weight(slot) ?? DEFAULT_WEIGHT, actualMiB, targetMiB, balloon }]
    })
    await Promise.all(
      running.map(async (vm) => {
        vm.availableMiB = await available(vm.id)
      }),
    )
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
    // All at once: a guest that is slow to answer holds up no other.
    const floors = new Map(running.map((vm) => [vm.id, vm.floorMiB]))
    const told = await Promise.allSettled(
      plan.targets.map(({ id, target }) => drivers.vm.setMemoryTarget(id, target, floors.get(id))),
    )
    for (const outcome of told)
      if (outcome.status === 'rejected') log.warn({ err: String(outcome.reason) }, 'a guest was not told its target')
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
