// The VM driver over QEMU: records first, then processes (law 7's last line on one host: never two of one archive).
import type { Clock } from '../../../../base/clock.ts'
import type { Files } from '../../../../base/files.ts'
import type { Logger } from '../../../../base/log.ts'
import type { ArchiveId } from '../../../../protocol/ids.ts'
import { serialQueue } from '../../../timing/serial.ts'
import type { VmDriver, VmEnd, VmEvent, VmSpec, VmState } from '../port.ts'
import { endOf, foundAgain, lastOf, recordFrom, runsArchive } from './adopt.ts'
import { attendMachine, type GuestStats, type Machine } from './machine.ts'
import type { ProcessId } from './process-table.ts'
import { type VmRecord, vmRecordsIn } from './record.ts'
import type { QemuWorld } from './world.ts'

/** The console logs are looked at this often. */
const TRIM_EVERY_MS = 30_000

export interface QemuVmDriver extends VmDriver {
  /** QEMU's process; undefined: none. */
  pidOf(id: ArchiveId): Promise<number | undefined>
  /** What the guest's balloon driver tells of its memory; undefined: nothing yet, or it does not run. */
  guestStats(id: ArchiveId): Promise<GuestStats | undefined>
  /** MiB of the host that the process holds, the guest's memory included; undefined: no process. */
  residentMiB(id: ArchiveId): Promise<number | undefined>
  /** Lets go of everything; VMs run on. */
  close(): void
}

interface Known {
  record: VmRecord
  machine?: Machine
  cpuTimeMs: number
}

export function qemuDriver(options: { world: QemuWorld; files: Files; clock: Clock; log: Logger }): QemuVmDriver {
  const { world, clock, log } = options
  const records = vmRecordsIn(options.files)
  const vms = new Map<ArchiveId, Known>()
  const turns = new Map<ArchiveId, ReturnType<typeof serialQueue>>()
  const listeners = new Set<(event: VmEvent) => void>()
  let closed = false

  const tell = (event: VmEvent): void => {
    if (!closed) for (const listener of listeners) listener(event)
  }
  const inTurn = <T>(id: ArchiveId, task: () => Promise<T>): Promise<T> => {
    const turn = turns.get(id) ?? serialQueue()
    turns.set(id, turn)
    return turn(task)
  }
  const save = async (record: VmRecord): Promise<void> => {
    const known = vms.get(record.spec.id)
    vms.set(record.spec.id, { cpuTimeMs: 0, ...known, record })
    await records.write(record)
  }

  const attend = (record: VmRecord, process: ProcessId, fresh: boolean): Machine => {
    const { id } = record.spec
    const machine = attendMachine({
      world,
      clock,
      log: log.child({ archive: id }),
      record,
      process,
      fresh,
      save,
      changed: () => tell({ type: 'changed', id }),
      async over(last, cpuTimeMs) {
        const end = endOf(last, last.hostBootId) ?? 'process-died'
        const ended = lastOf(last, end)
        vms.set(id, { record: ended, cpuTimeMs })
        await records
          .write(ended)
          .catch((error) => log.warn({ archive: id, err: String(error) }, 'the end of a VM could not be written down'))
        tell({ type: 'ended', id, end })
      },
    })
    vms.set(id, { record, machine, cpuTimeMs: 0 })
    return machine
  }

  /** What earlier agents left: processes found again, ends that nobody saw. */
  const adopt = async (): Promise<void> => {
    const hostBootId = await world.processes.hostBootId()
    const lists = await world.processes.argumentLists()
    const known = await records.all()
    const orphans = lists.flatMap(({ args }) => recordFrom(args, world.runFolder, hostBootId) ?? [])
    const missing = orphans.filter(({ spec }) => !known.some((record) => record.spec.id === spec.id))
    for (const record of [...known, ...missing]) {
      const { id } = record.spec
      const running = lists.find(({ args }) => runsArchive(args, record, world.runFolder))
      const process = running && (await world.processes.look(running.pid))
      if (process) {
        const again = foundAgain(record, process)
        if (record.state !== 'started') await records.write(again)
        attend(again, process, false)
      } else if (await world.hasDisk(record.spec)) {
        const last = lastOf(record, endOf(record, hostBootId))
        if (record.state !== 'ended') await records.write(last)
        vms.set(id, { record: last, cpuTimeMs: 0 })
      } else {
        await records.remove(id)
        await world.forget(id)
      }
    }
    await Promise.all([...vms.values()].map(({ machine }) => machine && reached(machine)))
    trim()
  }
  /** Waited for, so that the first list tells what is; one that does not answer holds up nobody for long. */
  const reached = async (machine: Machine): Promise<void> => {
    const waited = new AbortController()
    const patience = clock.sleep(REACHED_WITHIN_MS, waited.signal).catch(() => {})
    await Promise.race([machine.attached().catch(() => {}), patience])
    waited.abort()
  }
  let adoption: Promise<void> | undefined
  const ready = (): Promise<void> => {
    adoption ??= adopt().catch((error) => {
      adoption = undefined
      throw error
    })
    return adoption
  }
  const trim = (): void => {
    if (closed) return
    timer = clock.after(TRIM_EVERY_MS, trim)
    for (const [id, { machine }] of vms) {
      if (machine)
        world.trimLogs(id).catch((error) => log.warn({ archive: id, err: String(error) }, 'a console log stays long'))
    }
  }
  let timer = clock.after(
    0,
    () => void ready().catch((error) => log.warn({ err: String(error) }, 'no VM could be found again')),
  )

  const machineOf = async (id: ArchiveId): Promise<Machine | undefined> => {
    await ready()
    return vms.get(id)?.machine
  }
  const needMachine = async (id: ArchiveId): Promise<Machine> => {
    const machine = await machineOf(id)
    if (!machine) throw new Error(`vm ${id} is not running`)
    return machine
  }

  const start = async (spec: VmSpec): Promise<void> => {
    const known = vms.get(spec.id)
    if (known?.machine) {
      if (known.machine.state().lifecycle === 'stopping') throw new Error(`vm ${spec.id} is still stopping`)
      return
    }
    for (const other of vms.values()) {
      if (other.machine && other.record.spec.slot === spec.slot)
        throw new Error(`slot ${spec.slot} is taken by ${other.record.spec.id}`)
    }
    const record: VmRecord = {
      spec,
      hostBootId: await world.processes.hostBootId(),
      state: 'intended',
      startedMs: clock.now(),
    }
    await save(record)
    try {
      const pid = await world.launch(spec)
      const process = await world.processes.look(pid)
      if (!process) throw new Error('it ended at once')
      const started = foundAgain(record, process)
      await records.write(started)
      await attend(started, process, true).attached()
    } catch (error) {
      if (!vms.get(spec.id)?.machine) await save(lastOf(record, 'process-died'))
      throw new Error(`vm ${spec.id} could not be started: ${await why(spec.id, error)}`, { cause: error })
    }
    tell({ type: 'changed', id: spec.id })
  }
  const why = async (id: ArchiveId, error: unknown): Promise<string> => {
    const words = (await world.lastWords(id).catch(() => '')).trim()
    return words || (error instanceof Error ? error.message : String(error))
  }

  return {
    async list() {
      await ready()
      await Promise.all([...vms.values()].map(({ machine }) => machine?.refresh()))
      return [...vms.values()].map(stateOf)
    },
    start: async (spec) => {
      await ready()
      await inTurn(spec.id, () => start(spec))
    },
    stop: (id) => inTurn(id, async () => (await machineOf(id))?.stop()),
    cut: (id) => inTurn(id, async () => (await machineOf(id))?.cut()),
    pause: (id) => inTurn(id, async () => (await needMachine(id)).pause()),
    resume: (id) => inTurn(id, async () => (await needMachine(id)).resume()),
    setMemoryTarget: (id, target, floorMiB) =>
      inTurn(id, async () => (await needMachine(id)).setMemoryTarget(target, floorMiB)),
    subscribe(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    pidOf: async (id) => (await machineOf(id))?.process.pid,
    guestStats: async (id) => (await machineOf(id))?.guestStats().catch(() => undefined),
    async residentMiB(id) {
      const machine = await machineOf(id)
      return machine && (await world.processes.look(machine.process.pid))?.residentMiB
    },
    close() {
      closed = true
      timer.cancel()
      for (const { machine } of vms.values()) machine?.detach()
    },
  }
}

const REACHED_WITHIN_MS = 5_000

function stateOf({ record, machine, cpuTimeMs }: Known): VmState {
  if (machine) return machine.state()
  const { spec, end } = record
  return {
    id: spec.id,
    slot: spec.slot,
    lifecycle: isAsked(end) ? 'stopped' : 'crashed',
    memoryActualMiB: 0,
    memoryTargetMiB: 0,
    cpuTimeMs,
    ...(end && { end }),
    balloon: 'Converged',
  }
}

function isAsked(end: VmEnd | undefined): boolean {
  return end === undefined || end === 'guest-shutdown' || end === 'host-quit'
}
