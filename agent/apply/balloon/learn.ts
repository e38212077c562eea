// What is learnt of each guest: what it needs, and whether its balloon moves at all. Pure.
import { BALLOON_UNIT_MIB } from '../../../protocol/command/ops.ts'
import type { ArchiveId, MiB } from '../../../protocol/ids.ts'
import type { BalloonVm } from './plan.ts'

/** A guest uses that much by its own figures, or took it back unasked: it is not taken from it but in an emergency. */
export interface Need {
  needMiB: MiB
  /** Since when it has got by with clearly less, by its own figures; undefined: it has not, or does not tell. */
  easySinceMs?: number
  /** When it last took memory back. */
  learntMs: number
}

/** A guest whose balloon does not move is left where it is. */
export interface Unwilling {
  untilMs: number
  /** Doubled each time it is asked again in vain, so that a guest that never moves is hardly ever asked. */
  waitMs: number
  /** Where it stood; a guest that went below that has become willing. */
  atMiB: number
}

/** The first wait is short: a guest that boots has no balloon driver yet. */
const WAIT_MS = 60_000
const LONGEST_WAIT_MS = 32 * 60_000
/** A guest without figures is tried again this long after it took memory back. */
const NEED_KEPT_MS = 30 * 60_000
/** One with figures must show this long that it needs less. */
const EASY_MS = 60_000
/**
 * What a guest is left beside what it uses, as a share of its maximum: caches, and room to grow in. So much less must
 * it need before that is news: its caches come and go within it.
 */
const EASE_SHARE = 0.1
/** Less than this is no movement. */
const MOVED_MIB = 32
/** A guest's figures are up to a second old, more on a busy host: while its memory moves they are of another size. */
const FIGURES_LAG_MS = 3_000

/** Where a guest's memory stands, and since when. */
export interface Standing {
  atMiB: number
  sinceMs: number
}

export const toUnits = (mib: number): MiB => Math.ceil(mib / BALLOON_UNIT_MIB) * BALLOON_UNIT_MIB

export function isUnwilling(unwilling: Unwilling | undefined, nowMs: number): boolean {
  return unwilling !== undefined && unwilling.untilMs > nowMs
}

export interface Learnt {
  needs: ReadonlyMap<ArchiveId, Need>
  unwilling: ReadonlyMap<ArchiveId, Unwilling>
  standing: ReadonlyMap<ArchiveId, Standing>
}

export const NOTHING_LEARNT: Learnt = { needs: new Map(), unwilling: new Map(), standing: new Map() }

/** A VM that is gone is forgotten. */
export function learn(before: Learnt, vms: readonly BalloonVm[], nowMs: number): Learnt {
  const needs = new Map<ArchiveId, Need>()
  const unwilling = new Map<ArchiveId, Unwilling>()
  const standing = new Map<ArchiveId, Standing>()
  for (const vm of vms) {
    const stands = standingOf(before.standing.get(vm.id), vm, nowMs)
    standing.set(vm.id, stands)
    const need = needOf(before.needs.get(vm.id), vm, stands, nowMs)
    if (need) needs.set(vm.id, need)
    const still = unwillingOf(before.unwilling.get(vm.id), vm, nowMs)
    if (still) unwilling.set(vm.id, still)
  }
  return { needs, unwilling, standing }
}

/** One seen for the first time has always stood there. */
function standingOf(before: Standing | undefined, { actualMiB }: BalloonVm, nowMs: number): Standing {
  if (!before) return { atMiB: actualMiB, sinceMs: Number.NEGATIVE_INFINITY }
  return Math.abs(actualMiB - before.atMiB) < BALLOON_UNIT_MIB ? before : { atMiB: actualMiB, sinceMs: nowMs }
}

function needOf(before: Need | undefined, vm: BalloonVm, stands: Standing, nowMs: number): Need | undefined {
  if (vm.balloon === 'Drifted' && vm.actualMiB > vm.targetMiB)
    return { needMiB: Math.max(before?.needMiB ?? 0, toUnits(vm.actualMiB)), learntMs: nowMs }
  if (vm.availableMiB === undefined) return before && nowMs - before.learntMs < NEED_KEPT_MS ? before : undefined
  if (nowMs - stands.sinceMs < FIGURES_LAG_MS) return before
  const needMiB = toUnits(vm.actualMiB - vm.availableMiB + vm.maxMiB * EASE_SHARE)
  if (!before || needMiB >= before.needMiB + MOVED_MIB) return { needMiB, learntMs: nowMs }
  const clearly = Math.max(MOVED_MIB, vm.maxMiB * EASE_SHARE)
  if (needMiB > before.needMiB - clearly) return { needMiB: before.needMiB, learntMs: before.learntMs }
  const easySinceMs = before.easySinceMs ?? nowMs
  return nowMs - easySinceMs < EASY_MS ? { ...before, easySinceMs } : { needMiB, learntMs: nowMs }
}

function unwillingOf(before: Unwilling | undefined, vm: BalloonVm, nowMs: number): Unwilling | undefined {
  if (isUnwilling(before, nowMs)) return before
  if (vm.balloon === 'Stuck' || vm.balloon === 'DriverAbsent') {
    const waitMs = before ? Math.min(LONGEST_WAIT_MS, before.waitMs * 2) : WAIT_MS
    return { untilMs: nowMs + waitMs, waitMs, atMiB: vm.actualMiB }
  }
  return before && vm.actualMiB > before.atMiB - MOVED_MIB ? before : undefined
}
