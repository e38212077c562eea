// One simulated virtual machine as a pure model: what it is, and what it has become some milliseconds later.
// It knows no clock and does no I/O; simulated-machine.ts lets time pass.
import {
  BALLOON_EVENT_MS,
  BALLOON_MIB_PER_SECOND,
  BALLOON_STUCK_MS,
  BOOT_MS,
  CACHE_FILL_MIB_PER_SECOND,
  IDLE_PROCESSORS,
  NEED_SHARE_OF_FLOOR,
  SHORTAGE_PANIC_MS,
  SHUTDOWN_MS,
  STOP_LADDER,
  VM_OVERHEAD_MIB,
} from '../figures.ts'
import type { VmEnd, VmLifecycle, VmSpec, VmState } from './port.ts'

/** Differences this small, in MiB or ms, are floating point's and not the guest's. */
const ROUNDING = 1e-6

/** How a guest behaves; every field has a default, so a script names only what is odd about it. */
export interface GuestBehaviour {
  bootMs?: number
  /** false: no balloon driver in the guest. The command is still answered `{}`. */
  balloonDriver?: boolean
  /** false: the guest takes memory but gives none back. */
  givesBack?: boolean
  /** What it cannot do without, MiB; default: a share of its floor. */
  needMiB?: number
  /** The need grows with the time it has run, up to `needPeakMiB` (default: its maximum). */
  needGrowthMiBPerSecond?: number
  needPeakMiB?: number
  /** With less than its need: take it back (deflate-on-oom), or panic as without that option. */
  onShortage?: 'deflate' | 'panic'
  /** Ends by itself this long after every boot. */
  crashAfterMs?: number
  crashEnd?: VmEnd
  /** The first step of the stop ladder it obeys. */
  endsAt?: (typeof STOP_LADDER)[number]['step']
  shutdownMs?: number
  /** Processors it would use, up to its vcpus. */
  processors?: number
}

/** Plain data, so that it can be written down and read again. Times are durations, never instants. */
export interface Guest {
  spec: VmSpec
  behaviour: GuestBehaviour
  lifecycle: VmLifecycle
  end?: VmEnd
  bootLeftMs: number
  /** Time its processors have run since it was up. */
  ranMs: number
  actualMiB: number
  targetMiB: number
  balloon: VmState['balloon']
  /** How long a wanted movement has not come. */
  stillMs: number
  /** How long it has had less than it needs; undefined: it has enough. */
  shortMs?: number
  /** Since the last event about its memory. */
  quietMs: number
  stopLeftMs: number
  stopEnd: VmEnd
  cpuTimeMs: number
}

/** What happened to a guest while time passed. */
export type GuestChange = 'changed' | VmEnd

/** A guest whose process has just been made. All its memory is there: a balloon starts empty. */
export function startedGuest(spec: VmSpec, behaviour: GuestBehaviour): Guest {
  return {
    spec,
    behaviour,
    lifecycle: 'starting',
    bootLeftMs: behaviour.bootMs ?? BOOT_MS,
    ranMs: 0,
    actualMiB: spec.maxMiB,
    targetMiB: spec.maxMiB,
    balloon: 'Converged',
    stillMs: 0,
    quietMs: 0,
    stopLeftMs: 0,
    stopEnd: 'guest-shutdown',
    cpuTimeMs: 0,
  }
}

/** Is there a process? */
export function isAlive(guest: Guest): boolean {
  return guest.lifecycle !== 'stopped' && guest.lifecycle !== 'crashed'
}

/** Do its processors run? */
function isRunning(guest: Guest): boolean {
  return isAlive(guest) && guest.lifecycle !== 'paused'
}

/** Ends it. An end somebody asked for leaves it stopped, any other crashed, as SHUTDOWN's reason tells them apart. */
export function endGuest(guest: Guest, end: VmEnd): void {
  const asked = guest.lifecycle === 'stopping' || end === 'host-quit' || end === 'guest-shutdown'
  guest.lifecycle = asked ? 'stopped' : 'crashed'
  guest.end = end
  guest.actualMiB = 0
  guest.targetMiB = 0
  guest.balloon = 'Converged'
}

/** Begins the stop ladder: how long it takes and what it ends with follow from the first step the guest obeys. */
export function beginStop(guest: Guest): void {
  const { endsAt = 'powerdown', shutdownMs = SHUTDOWN_MS } = guest.behaviour
  // A guest that still boots answers the power button once it is up.
  const powerdownMs = guest.bootLeftMs + shutdownMs
  const willing = endsAt === 'powerdown' && powerdownMs <= STOP_LADDER[0].limitMs
  const rung = STOP_LADDER.findIndex(({ step }) => step === (endsAt === 'powerdown' ? 'quit' : endsAt))
  const waitedMs = STOP_LADDER.slice(0, rung).reduce((sum, { limitMs }) => sum + limitMs, 0)
  guest.lifecycle = 'stopping'
  guest.stopLeftMs = willing ? powerdownMs : waitedMs
  guest.stopEnd = willing ? 'guest-shutdown' : endsAt === 'sigkill' ? 'process-died' : 'host-quit'
}

/** The floor binds on the host, whatever is asked for; more than it has been given a guest cannot get. */
export function setTarget(guest: Guest, targetMiB: number): void {
  guest.targetMiB = Math.min(guest.spec.maxMiB, Math.max(guest.spec.floorMiB, targetMiB))
  guest.stillMs = 0
  guest.balloon = guest.targetMiB === guest.actualMiB ? 'Converged' : 'Moving'
}

/** What the guest cannot do without by now, MiB. */
function needMiB({ spec, behaviour, ranMs }: Guest): number {
  const base = behaviour.needMiB ?? spec.floorMiB * NEED_SHARE_OF_FLOOR
  const peak = Math.min(spec.maxMiB, behaviour.needPeakMiB ?? spec.maxMiB)
  return Math.min(Math.max(base, peak), spec.maxMiB, base + ((behaviour.needGrowthMiBPerSecond ?? 0) * ranMs) / 1000)
}

/** What the guest's process has really taken from the host: what it touched of what it has, and QEMU itself. */
export function residentMiB(guest: Guest): number {
  if (!isAlive(guest)) return 0
  return VM_OVERHEAD_MIB + Math.min(guest.actualMiB, needMiB(guest) + (CACHE_FILL_MIB_PER_SECOND * guest.ranMs) / 1000)
}

/** Processors it would use if it were alone. */
export function wantedProcessors(guest: Guest): number {
  if (!isRunning(guest)) return 0
  // A booting guest keeps one processor busy.
  if (guest.bootLeftMs > 0) return 1
  return Math.min(guest.spec.vcpus, guest.behaviour.processors ?? IDLE_PROCESSORS)
}

/** Milliseconds, at least 1, after which something may happen to it; Infinity: nothing will. */
export function untilChange(guest: Guest): number {
  const { behaviour } = guest
  if (!isRunning(guest)) return Number.POSITIVE_INFINITY
  if (guest.lifecycle === 'stopping') return Math.max(1, guest.stopLeftMs)
  if (guest.lifecycle === 'starting') return Math.max(1, guest.bootLeftMs)
  const crashMs = (behaviour.crashAfterMs ?? Number.POSITIVE_INFINITY) - guest.ranMs
  return Math.max(1, Math.min(crashMs, untilBalloon(guest), untilShortage(guest)))
}

/** MiB a second by which what it has changes now: the balloon follows its target as far as the guest will. */
function balloonSpeed({ balloon, behaviour, targetMiB, actualMiB }: Guest): number {
  const { balloonDriver = true, givesBack = true } = behaviour
  if (balloon !== 'Moving' || !balloonDriver) return 0
  if (targetMiB > actualMiB) return BALLOON_MIB_PER_SECOND
  return givesBack ? -BALLOON_MIB_PER_SECOND : 0
}

/** When the balloon will have arrived, will be told of, or will be found not to move. */
function untilBalloon(guest: Guest): number {
  if (guest.balloon !== 'Moving') return Number.POSITIVE_INFINITY
  const speed = balloonSpeed(guest)
  if (speed === 0) return BALLOON_STUCK_MS - guest.stillMs
  const arrivalMs = Math.ceil(((guest.targetMiB - guest.actualMiB) / speed) * 1000 - ROUNDING)
  return Math.min(arrivalMs, Math.max(1, BALLOON_EVENT_MS - guest.quietMs))
}

/** When its need will exceed what it has, or when it will do something about that. */
function untilShortage(guest: Guest): number {
  if (isShort(guest)) {
    return guest.behaviour.onShortage === 'panic' ? SHORTAGE_PANIC_MS - (guest.shortMs ?? 0) : 1
  }
  const need = needMiB(guest)
  const grows = needMiB({ ...guest, ranMs: guest.ranMs + 1 }) > need
  const growth = grows ? (guest.behaviour.needGrowthMiBPerSecond ?? 0) : 0
  // What it has follows its need from here on: the host sees that no oftener than the balloon's events come.
  if (guest.balloon === 'Drifted') return grows ? BALLOON_EVENT_MS : Number.POSITIVE_INFINITY
  const closing = growth - balloonSpeed(guest)
  if (closing <= 0) return Number.POSITIVE_INFINITY
  // The first millisecond after the crossing, also when rounding puts the crossing a hair before or after it.
  return Math.floor(((guest.actualMiB - need) / closing) * 1000 + ROUNDING) + 1
}

function isShort(guest: Guest): boolean {
  return needMiB(guest) > guest.actualMiB + ROUNDING
}

/** Lets `ms` pass, never more than `untilChange`, during which it got `processors`. Returns what happened, in order. */
export function advanceGuest(guest: Guest, ms: number, processors: number): GuestChange[] {
  if (!isRunning(guest)) return []
  guest.cpuTimeMs += ms * processors
  const booting = Math.min(ms, guest.bootLeftMs)
  guest.bootLeftMs -= booting
  guest.ranMs += ms - booting
  if (guest.lifecycle === 'stopping') {
    guest.stopLeftMs -= ms
    return guest.stopLeftMs > 0 ? [] : ended(guest, guest.stopEnd)
  }
  if (guest.lifecycle === 'starting') {
    if (guest.bootLeftMs > 0) return []
    guest.lifecycle = 'running'
    return ['changed']
  }
  const { crashAfterMs, crashEnd = 'guest-panic' } = guest.behaviour
  if (crashAfterMs !== undefined && guest.ranMs >= crashAfterMs) return ended(guest, crashEnd)
  return advanceMemory(guest, ms)
}

function ended(guest: Guest, end: VmEnd): GuestChange[] {
  endGuest(guest, end)
  return [end]
}

function advanceMemory(guest: Guest, ms: number): GuestChange[] {
  const before = { balloon: guest.balloon, actualMiB: guest.actualMiB }
  if (guest.balloon === 'Moving') moveBalloon(guest, ms)
  if (feelShortage(guest, ms)) return ended(guest, 'guest-panic')
  guest.quietMs += ms
  const moved = guest.actualMiB !== before.actualMiB
  if (guest.balloon === before.balloon && !(moved && guest.quietMs >= BALLOON_EVENT_MS)) return []
  guest.quietMs = 0
  return ['changed']
}

/** The guest follows the target, as far as it can and will. */
function moveBalloon(guest: Guest, ms: number): void {
  const speed = balloonSpeed(guest)
  if (speed !== 0) {
    const moved = guest.actualMiB + (speed * ms) / 1000
    const arrives = Math.sign(speed) * (moved - guest.targetMiB) > -ROUNDING
    guest.actualMiB = arrives ? guest.targetMiB : moved
    guest.stillMs = 0
    if (arrives) guest.balloon = 'Converged'
    return
  }
  guest.stillMs += ms
  if (guest.stillMs < BALLOON_STUCK_MS) return
  // A target that cannot be reached is taken back to what is, so that a guest that recovers is not squeezed by surprise.
  guest.targetMiB = guest.actualMiB
  guest.balloon = (guest.behaviour.balloonDriver ?? true) ? 'Stuck' : 'DriverAbsent'
}

/** True when the guest panics. Otherwise deflate-on-oom gives it what it needs: an unasked rise over the target. */
function feelShortage(guest: Guest, ms: number): boolean {
  if (!isShort(guest)) {
    guest.shortMs = undefined
    return false
  }
  if (guest.behaviour.onShortage === 'panic') {
    // A step ends where something begins, so the step that finds the shortage does not count towards it.
    guest.shortMs = guest.shortMs === undefined ? 0 : guest.shortMs + ms
    return guest.shortMs >= SHORTAGE_PANIC_MS
  }
  guest.actualMiB = needMiB(guest)
  if (guest.actualMiB > guest.targetMiB) guest.balloon = 'Drifted'
  return false
}
