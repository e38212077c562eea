// The archives of a fake node: no disk and no guest, only what telemetry would say of them. Every effect is there at
// once; what makes it slow is the agent's script.
import type { BundleArchive } from '../../protocol/bundle/document.ts'
import { BALLOON_UNIT_MIB, OP, type Op, POWER } from '../../protocol/command/ops.ts'
import {
  type ArchiveId,
  compareSequence,
  type Digest,
  type FencingEpoch,
  type MiB,
  type Slot,
} from '../../protocol/ids.ts'
import { signRelease } from '../../protocol/release.ts'
import type { ArchiveReport, Lifecycle, NodeReport } from '../../protocol/telemetry/report.ts'
import { contentOf, floorOf, type Memory } from './memory.ts'

/** Of a machine that was never told another. */
const DEFAULT_WEIGHT = 100
/** Of a retained disk, as telemetry shows it. */
const DISK_MIB = 1024 as MiB

interface Machine {
  definition: BundleArchive
  power: 'Stopped' | 'Running' | 'Suspended'
  /** Clock.monotonic(); of the present run. */
  startedMs: number
  weight: number
  memoryMiB: MiB
  /** Epoch of its disk, and how it was come by; absent: no disk. */
  disk?: { fencingEpoch: FencingEpoch; state: 'ready' | 'retained'; sha256: Digest }
}

export interface Machines {
  /** Brings the machines to what the applied bundle and the marks say. */
  converge(nowMs: number): void
  reports(nowMs: number, busy: readonly Busy[]): ArchiveReport[]
  releases(): NodeReport['releases']
  retained(): NodeReport['retainedDisks']
  /** MiB that running guests hold. */
  memoryInUse(): number
}

/** An op that the script delays. */
export interface Busy {
  op: Op
  slot: Slot
  value: number
  untilMs: number
}

export function machinesOf(memory: Memory): Machines {
  const machines = new Map<ArchiveId, Machine>()
  /** Highest epoch given up. */
  const fence = new Map<ArchiveId, FencingEpoch>()

  const done = (op: Op, slot: number) => {
    const mark = memory.marks.get(`${op}/${slot}`)
    return mark?.state === 'done' && compareSequence(mark, floorOf(memory.floors, slot)) >= 0 ? mark.value : undefined
  }
  const machineOf = (definition: BundleArchive): Machine => {
    const known = machines.get(definition.id)
    if (known) known.definition = definition
    const machine = known ?? { definition, power: 'Stopped', startedMs: 0, weight: 0, memoryMiB: 0 as MiB }
    machines.set(definition.id, machine)
    return machine
  }
  /** Laws 7 and 8: why this disk may not be started, or made. */
  const fault = ({ definition, disk }: Machine): { code: string; message: string } | undefined => {
    const epoch = definition.fencingEpoch
    if (disk && disk.sha256 !== definition.image.sha256)
      return { code: 'ImageChanged', message: 'the disk was made from another image' }
    if (disk && disk.fencingEpoch !== epoch)
      return { code: 'FenceRefused', message: `the disk is of epoch ${disk.fencingEpoch}, the bundle says ${epoch}` }
    const released = fence.get(definition.id)
    if (released !== undefined && released >= epoch)
      return { code: 'FenceRefused', message: `this node gave the archive up at epoch ${released}` }
    return undefined
  }
  const release = (machine: Machine): void => {
    const { definition } = machine
    machine.power = 'Stopped'
    fence.set(definition.id, Math.max(fence.get(definition.id) ?? 0, definition.fencingEpoch))
    if (definition.remove === 'Delete') delete machine.disk
    else if (machine.disk) machine.disk = { ...machine.disk, state: 'retained' }
  }
  const makeDisk = (machine: Machine): void => {
    const { adoptDisk, fencingEpoch, image, chunkListRoot } = machine.definition
    // A disk that is pushed here overwrites the one that was retained.
    if (chunkListRoot && machine.disk?.fencingEpoch !== fencingEpoch) delete machine.disk
    if (fault(machine) || machine.disk?.state === 'ready') return
    if (adoptDisk) machines.delete(adoptDisk)
    machine.disk = { fencingEpoch, state: 'ready', sha256: image.sha256 }
  }
  const drive = (machine: Machine, nowMs: number): void => {
    const { slot, maxMiB, floorMiB } = machine.definition
    const power = done(OP.POWER, slot)
    if (power === POWER.stop || power === POWER.cut) machine.power = 'Stopped'
    if (power === POWER.suspend && machine.power === 'Running') machine.power = 'Suspended'
    if (power === POWER.start && !fault(machine)) {
      if (machine.power === 'Stopped')
        Object.assign(machine, { startedMs: nowMs, weight: DEFAULT_WEIGHT, memoryMiB: maxMiB })
      machine.power = 'Running'
    }
    if (machine.power === 'Stopped') return void Object.assign(machine, { weight: 0, memoryMiB: 0 })
    machine.weight = done(OP.WEIGHT, slot) ?? machine.weight
    const balloon = done(OP.BALLOON, slot)
    if (balloon !== undefined && contentOf(memory)?.pool.balloon.policy === 'Manual')
      machine.memoryMiB = Math.min(Math.max(balloon * BALLOON_UNIT_MIB, floorMiB), maxMiB)
  }

  const describe = (machine: Machine, nowMs: number, busy: Busy | undefined, unlisted: boolean): ArchiveReport => {
    const { definition, power, disk, memoryMiB, weight } = machine
    const why = unlisted || definition.remove ? undefined : fault(machine)
    return {
      id: definition.id,
      slot: definition.slot,
      name: definition.name,
      namespace: definition.namespace,
      lifecycle: lifecycleOf(machine, busy, why !== undefined),
      ...(busy && { operation: { op: busy.op, value: busy.value, remainingMs: Math.max(0, busy.untilMs - nowMs) } }),
      unlisted,
      imageReady: disk !== undefined,
      fencingEpoch: disk?.fencingEpoch ?? 0,
      memoryActualMiB: memoryMiB,
      memoryTargetMiB: memoryMiB,
      cpuTimeMs: power === 'Stopped' ? 0 : Math.round(nowMs - machine.startedMs),
      weight,
      restarts: 0,
      ...(why && { errorCode: why.code, errorMessage: why.message }),
    }
  }

  const listed = (): readonly BundleArchive[] => contentOf(memory)?.archives ?? []
  return {
    converge(nowMs) {
      for (const definition of listed()) {
        const machine = machineOf(definition)
        if (definition.remove) release(machine)
        else {
          makeDisk(machine)
          drive(machine, nowMs)
        }
      }
    },
    reports(nowMs, busy) {
      const ids = new Set(listed().map((a) => a.id))
      const slots = new Set(listed().map((a) => a.slot))
      const unlisted = [...machines.values()].filter(
        (m) => m.power !== 'Stopped' && !ids.has(m.definition.id) && !slots.has(m.definition.slot),
      )
      return [
        ...listed().map((a) => describe(machineOf(a), nowMs, busyAt(busy, a.slot), false)),
        ...unlisted.map((m) => describe(m, nowMs, undefined, true)),
      ]
    },
    releases() {
      const { pins, keys } = memory
      if (!pins) return []
      const { meshId, nodeId } = pins
      const pushes = contentOf(memory)?.pushes ?? []
      return [...fence].map(([archive, fencingEpoch]) => ({
        archive,
        fencingEpoch,
        signature: signRelease({ meshId, nodeId, archive, fencingEpoch }, keys.signing.secretKey),
        // There is no content to hash: the root stands for it.
        ...(pushes.some((p) => p.archive === archive) && { chunkListRoot: archive.repeat(2) }),
      }))
    },
    retained: () =>
      [...machines.values()]
        .filter((m) => m.disk?.state === 'retained')
        .map(({ definition: { id, name, namespace } }) => ({ id, name, namespace, sizeMiB: DISK_MIB })),
    memoryInUse: () => [...machines.values()].reduce((sum, m) => sum + m.memoryMiB, 0),
  }
}

/** Power before shares: telemetry shows one operation a slot. */
function busyAt(busy: readonly Busy[], slot: Slot): Busy | undefined {
  return busy.filter((b) => b.slot === slot).sort((a, b) => a.op - b.op)[0]
}

function lifecycleOf({ definition, power, disk }: Machine, busy: Busy | undefined, failed: boolean): Lifecycle {
  if (definition.remove) return 'Removed'
  if (failed && power === 'Stopped') return 'Failed'
  if (busy?.op === OP.POWER && busy.value === POWER.start && power === 'Stopped') return 'Starting'
  if (busy?.op === OP.POWER && busy.value === POWER.stop && power !== 'Stopped') return 'Stopping'
  return disk ? power : 'Absent'
}
