// All archives of the node: a worker for each one in the applied bundle. VMs that the bundle does not list are left
// as they are and reported (section 7.2, "Archives end only by saying so").
import type { Clock } from '../../../base/clock.ts'
import type { Logger } from '../../../base/log.ts'
import type { RandomBytes } from '../../../base/random.ts'
import type { Op } from '../../../protocol/command/ops.ts'
import { type ArchiveId, compareSequence, type Slot } from '../../../protocol/ids.ts'
import type { ArchiveReport, Mark } from '../../../protocol/telemetry/report.ts'
import type { InForce } from '../../bundles/manager.ts'
import type { Drivers } from '../../drivers/host.ts'
import type { MarkJournal } from '../../marks/journal.ts'
import type { Observer } from '../observer.ts'
import { type DiskTools, retainedDisks } from './disks.ts'
import { reportArchive, reportUnlisted } from './report.ts'
import { isAlive } from './view.ts'
import { type ArchiveWorker, createArchiveWorker } from './worker.ts'

/** Looked at this often without a cause, in case a driver's event was lost. */
const LOOK_EVERY_MS = 30_000

export interface ArchiveManagerOptions {
  clock: Clock
  random: RandomBytes
  log: Logger
  drivers: Drivers
  disks: DiskTools
  observer: Observer
  marks: MarkJournal
  inForce(): InForce | undefined
  changed(): void
}

export interface ArchiveManager {
  /** The bundle in force changed: resolves when every archive has been looked at. */
  converge(): Promise<void>
  /** A command for this slot has been marked: resolves when it has been acted on. */
  obey(slot: Slot): Promise<void>
  /** Running or listed: told apart by id. */
  reports(): ArchiveReport[]
  retained(): Awaited<ReturnType<typeof retainedDisks>>
  /** A disk became ready, or anything else about one archive changed. */
  look(id: ArchiveId): Promise<void>
}

export function createArchiveManager(options: ArchiveManagerOptions, signal: AbortSignal): ArchiveManager {
  const { clock, log, drivers, observer, marks } = options
  const workers = new Map<ArchiveId, ArchiveWorker>()
  /** Names and weights of VMs that no definition names. */
  const unlisted = new Map<ArchiveId, { name: string; namespace: string; fencingEpoch: number; weight: number }>()
  let retained: Awaited<ReturnType<typeof retainedDisks>> = []

  const definition = (id: ArchiveId) => {
    const inForce = options.inForce()
    // A lost applied bundle: its predecessor keeps the tunnels up and touches no archive.
    if (inForce?.from !== 'applied') return undefined
    return inForce.bundle.content.archives.find((a) => a.id === id)
  }
  const listed = () => {
    const inForce = options.inForce()
    return inForce?.from === 'applied' ? inForce.bundle.content.archives : []
  }
  const mark = (op: Op, slot: Slot): Mark | undefined => {
    const found = marks.get(op, slot)
    return found && compareSequence(found, marks.floor(slot)) >= 0 ? found : undefined
  }

  const listRetained = async (): Promise<void> => {
    retained = await retainedDisks(options.disks)
    options.changed()
  }
  const workerOf = (id: ArchiveId): ArchiveWorker => {
    let worker = workers.get(id)
    if (!worker) {
      worker = createArchiveWorker(
        {
          ...options,
          log: log.child({ archive: id }),
          orders: () => {
            const found = definition(id)
            const inForce = options.inForce()
            if (!found || !inForce) return undefined
            const balloonPolicy = inForce.bundle.content.pool.balloon.policy
            return { definition: found, mayStart: inForce.mayStart, balloonPolicy }
          },
          mark: (op) => {
            const slot = definition(id)?.slot
            return slot === undefined || marks.lost() ? undefined : mark(op, slot)
          },
          disksChanged: () => quietly(listRetained()),
        },
        signal,
      )
      workers.set(id, worker)
    }
    return worker
  }

  const converge = async (): Promise<void> => {
    await observer.vms()
    await Promise.all(listed().map((a) => workerOf(a.id).run()))
    for (const id of workers.keys()) if (!definition(id)) workers.delete(id)
    unlisted.clear()
    for (const vm of observer.get().vms.values()) {
      if (definition(vm.id) || !isAlive(vm)) continue
      const { id } = vm
      const sidecar = await options.disks.sidecars.read(id)
      const known = sidecar && sidecar !== 'unreadable' ? sidecar : undefined
      unlisted.set(id, {
        name: known?.name ?? id,
        namespace: known?.namespace ?? 'unknown',
        fencingEpoch: known?.fencingEpoch ?? 0,
        weight: (await drivers.cgroup.weight(id)) ?? 0,
      })
    }
    await listRetained()
    const inForce = options.inForce()
    if (inForce) await drivers.cgroup.reserve?.(inForce.bundle.content.pool.reservedWeight)
  }
  const look = async (id: ArchiveId): Promise<void> => {
    if (definition(id)) await workerOf(id).run()
    else await observer.vms()
    options.changed()
  }
  const quietly = (what: Promise<void>): void => {
    what.catch((error) => log.warn({ err: String(error) }, 'looking after the archives failed'))
  }

  const unsubscribe = drivers.vm.subscribe((event) => {
    if (!signal.aborted) quietly(look(event.id))
  })
  const beat = () => {
    quietly(converge())
    timer = clock.after(LOOK_EVERY_MS, beat)
  }
  let timer = clock.after(LOOK_EVERY_MS, beat)
  signal.addEventListener(
    'abort',
    () => {
      unsubscribe()
      timer.cancel()
    },
    { once: true },
  )

  return {
    converge,
    look,
    async obey(slot) {
      const found = listed().find((a) => a.slot === slot)
      if (found) await workerOf(found.id).run()
    },
    reports() {
      const { vms } = observer.get()
      const nowMs = clock.monotonic()
      const reports = listed().map((a) => reportArchive(a, workers.get(a.id), vms.get(a.id), nowMs))
      const taken = new Set(reports.map((r) => r.slot))
      for (const vm of vms.values()) {
        const known = unlisted.get(vm.id)
        if (known && isAlive(vm) && !definition(vm.id) && !taken.has(vm.slot)) reports.push(reportUnlisted(vm, known))
      }
      return reports
    },
    retained: () => retained,
  }
}
