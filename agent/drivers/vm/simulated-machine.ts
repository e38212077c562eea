// The hypervisor of one simulated node: its guests and CPU groups, and the time that passes for them.
//
// It outlives the agent, as QEMU processes do. What it was told is written to `machine.json` with the instant;
// everything that follows from it is computed again, so a process that was killed and started anew finds its
// guests where they would be had nothing happened.
import type { Clock, Timer } from '../../../base/clock.ts'
import type { Files } from '../../../base/files.ts'
import { cpuShares } from '../cgroup/simulated-shares.ts'
import { DEFAULT_WEIGHT } from '../figures.ts'
import type { VmEvent } from './port.ts'
import {
  advanceGuest,
  type Guest,
  type GuestBehaviour,
  isAlive,
  residentMiB,
  untilChange,
  wantedProcessors,
} from './simulated-guest.ts'

export interface MachineState {
  /** `Clock.monotonic()` up to which everything here has been computed. */
  atMs: number
  guests: Record<string, Guest>
  /** cpu.weight of each group. A group stays when its VM ends. */
  weights: Record<string, number>
  /** What the next start of a VM finds; `*` is every VM without an entry of its own. */
  behaviours: Record<string, GuestBehaviour>
}

export interface SimulatedMachine {
  readonly cpus: number
  /** The state now. Not to be changed by the caller. */
  now(): MachineState
  /** Changes the state and resolves when a killed process would find the change. The function returns the events. */
  change(fn: (state: MachineState) => VmEvent[]): Promise<void>
  /** Makes a guest behave, from now on and at its next starts; `*`: every guest without a script of its own. */
  script(id: string, behaviour: GuestBehaviour): Promise<void>
  /** Memory the host has lost to its guests. */
  residentMiB(): number
  subscribe(listener: (event: VmEvent) => void): () => void
  /** The power goes: every guest and group is gone. Behaviours stay, they belong to the script. */
  powerCut(): Promise<void>
  /** Stops the timer. The guests go on, by the clock, for whoever opens the machine next. */
  close(): void
}

const FILE = 'machine.json'

export async function openMachine(options: { files: Files; clock: Clock; cpus: number }): Promise<SimulatedMachine> {
  const { files, clock, cpus } = options
  const state = await load(files, clock.monotonic())
  const listeners = new Set<(event: VmEvent) => void>()
  let timer: Timer | undefined
  let closed = false
  let writing: Promise<void> = Promise.resolve()

  const emit = (events: VmEvent[]) => {
    for (const event of events) for (const listener of [...listeners]) listener(event)
  }
  const arm = () => {
    timer?.cancel()
    const waitMs = Math.min(...Object.values(state.guests).map(untilChange), Number.POSITIVE_INFINITY)
    if (!closed && Number.isFinite(waitMs)) timer = clock.after(waitMs, catchUp)
  }
  const catchUp = () => {
    const events = advanceMachine(state, clock.monotonic(), cpus)
    arm()
    emit(events)
  }
  // One write at a time, each with the newest state, so that an older one never lands on a newer one.
  const persist = () => {
    writing = writing.catch(() => {}).then(() => files.write(FILE, Buffer.from(JSON.stringify(state))))
    return writing
  }
  const machine: SimulatedMachine = {
    cpus,
    now: () => {
      catchUp()
      return state
    },
    change: async (fn) => {
      catchUp()
      const events = fn(state)
      arm()
      await persist()
      emit(events)
    },
    script: (id, behaviour) =>
      machine.change(({ guests, behaviours }) => {
        behaviours[id] = behaviour
        for (const guest of Object.values(guests)) {
          if (guest.spec.id === id || (id === '*' && !behaviours[guest.spec.id])) guest.behaviour = behaviour
        }
        return []
      }),
    residentMiB: () => Object.values(machine.now().guests).reduce((sum, guest) => sum + residentMiB(guest), 0),
    subscribe: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    powerCut: () =>
      machine.change((s) => {
        s.guests = {}
        s.weights = {}
        return []
      }),
    close: () => {
      closed = true
      timer?.cancel()
    },
  }
  arm()
  return machine
}

async function load(files: Files, nowMs: number): Promise<MachineState> {
  const bytes = await files.read(FILE)
  const empty: MachineState = { atMs: nowMs, guests: {}, weights: {}, behaviours: {} }
  if (!bytes) return empty
  const state = JSON.parse(Buffer.from(bytes).toString()) as MachineState
  // The monotonic clock starts again with the real machine, and no process outlives that.
  return state.atMs > nowMs ? { ...empty, behaviours: state.behaviours } : state
}

/** Lets time pass until `toMs`, from one possible change to the next, sharing the processors anew in between. */
export function advanceMachine(state: MachineState, toMs: number, cpus: number): VmEvent[] {
  const events: VmEvent[] = []
  while (state.atMs < toMs) {
    const guests = Object.values(state.guests).filter(isAlive)
    const stepMs = Math.min(toMs - state.atMs, ...guests.map(untilChange))
    const shares = cpuShares(
      guests.map((g) => ({ weight: state.weights[g.spec.id] ?? DEFAULT_WEIGHT, processors: wantedProcessors(g) })),
      cpus,
    )
    for (const [i, guest] of guests.entries()) {
      const id = guest.spec.id
      for (const change of advanceGuest(guest, stepMs, shares[i] ?? 0)) {
        events.push(change === 'changed' ? { type: 'changed', id } : { type: 'ended', id, end: change })
      }
    }
    state.atMs += stepMs
  }
  return events
}
