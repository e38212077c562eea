// The VM driver over a simulated hypervisor. What it does to a guest it does at once; what the guest makes of it
// comes with time (simulated-guest.ts).
import type { ArchiveId } from '../../../protocol/ids.ts'
import { DEFAULT_WEIGHT } from '../figures.ts'
import type { VmDriver, VmEvent, VmState } from './port.ts'
import { beginStop, endGuest, type Guest, isAlive, setTarget, startedGuest } from './simulated-guest.ts'
import type { MachineState, SimulatedMachine } from './simulated-machine.ts'

export function simulatedVmDriver(machine: SimulatedMachine): VmDriver {
  /** Runs `fn` on a guest; true means that something changed. */
  const act = (id: ArchiveId, fn: (guest: Guest) => boolean): Promise<void> =>
    machine.change((state) => (fn(known(state, id)) ? [{ type: 'changed', id } satisfies VmEvent] : []))

  return {
    list: async () => Object.values(machine.now().guests).map(stateOf),
    start: (spec) =>
      machine.change((state) => {
        const before = state.guests[spec.id]
        // A VM is never started twice: a process that is still ending is one too many.
        if (before?.lifecycle === 'stopping') throw new Error(`vm ${spec.id} is still stopping`)
        if (before && isAlive(before)) return []
        state.guests[spec.id] = startedGuest(spec, state.behaviours[spec.id] ?? state.behaviours['*'] ?? {})
        state.weights[spec.id] ??= DEFAULT_WEIGHT
        return [{ type: 'changed', id: spec.id }]
      }),
    stop: (id) =>
      machine.change((state) => {
        const guest = state.guests[id]
        if (!guest || !isAlive(guest) || guest.lifecycle === 'stopping') return []
        beginStop(guest)
        return [{ type: 'changed', id }]
      }),
    cut: (id) =>
      machine.change((state) => {
        const guest = state.guests[id]
        if (!guest || !isAlive(guest)) return []
        endGuest(guest, 'host-quit')
        return [{ type: 'ended', id, end: 'host-quit' }]
      }),
    pause: (id) =>
      act(id, (guest) => {
        if (guest.lifecycle === 'paused') return false
        if (guest.lifecycle !== 'running' && guest.lifecycle !== 'starting') throw notRunning(guest)
        guest.lifecycle = 'paused'
        return true
      }),
    resume: (id) =>
      act(id, (guest) => {
        if (guest.lifecycle === 'running' || guest.lifecycle === 'starting') return false
        if (guest.lifecycle !== 'paused') throw notRunning(guest)
        guest.lifecycle = guest.bootLeftMs > 0 ? 'starting' : 'running'
        return true
      }),
    setMemoryTarget: (id, target, floorMiB) =>
      act(id, (guest) => {
        if (!isAlive(guest)) throw notRunning(guest)
        if (floorMiB !== undefined) guest.spec = { ...guest.spec, floorMiB }
        const before = { target: guest.targetMiB, balloon: guest.balloon }
        setTarget(guest, target)
        return guest.targetMiB !== before.target || guest.balloon !== before.balloon
      }),
    subscribe: machine.subscribe,
  }
}

function known(state: MachineState, id: ArchiveId): Guest {
  const guest = state.guests[id]
  if (!guest) throw new Error(`vm ${id} was never started here`)
  return guest
}

function notRunning(guest: Guest): Error {
  return new Error(`vm ${guest.spec.id} is ${guest.lifecycle}`)
}

function stateOf(guest: Guest): VmState {
  return {
    id: guest.spec.id,
    slot: guest.spec.slot,
    lifecycle: guest.lifecycle,
    memoryActualMiB: Math.round(guest.actualMiB),
    memoryTargetMiB: Math.round(guest.targetMiB),
    cpuTimeMs: Math.floor(guest.cpuTimeMs),
    ...(isAlive(guest) && { maxMiB: guest.spec.maxMiB }),
    ...(guest.end && { end: guest.end }),
    balloon: guest.balloon,
  }
}
