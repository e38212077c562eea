// What the slot's commands should be, from what is declared and what telemetry shows of the VM. Pure.

import type { ArchiveSpec } from '../../api/v1alpha1/archive.ts'
import { quantityMiB } from '../../api/v1alpha1/common.ts'
import { BALLOON_UNIT_MIB, OP, type Op, POWER } from '../../protocol/command/ops.ts'
import type { ArchiveReport, Lifecycle } from '../../protocol/telemetry/report.ts'
import type { Memory } from '../admission/admit.ts'

/** One op on the archive's slot as it should be now. */
export interface Goal {
  op: Op
  /** u16, as the command carries it. */
  value: number
  /** Telemetry shows the effect. */
  effect: boolean
  /** A fresh slot behaves as if it had been told this. */
  unmarkedMeans?: number
  /** Changes when the effect moves: what was refused may then be asked for once more. */
  effectKey: string
}

/** VM processes of these lifecycles exist, so weight and memory can be seen. */
const ALIVE: readonly Lifecycle[] = ['Running', 'Suspended']
/** No VM process, and none on its way. */
const AT_REST: readonly Lifecycle[] = ['Absent', 'Preparing', 'Stopped', 'Crashed', 'Failed', 'Removed']

/** Of spec.cpu.weight. */
const DEFAULT_WEIGHT = 100

/** Memory moves in steps of at least this before a Stuck balloon counts as moved. */
const MOVED_MIB = 64

/** The POWER value that leads on from here, and whether it is the declared one (Suspended goes by way of Running). */
export function powerGoal(runState: ArchiveSpec['runState'], report: ArchiveReport): Goal {
  const { lifecycle, restarts } = report
  const goal = (value: number, effect: boolean): Goal => ({
    op: OP.POWER,
    value,
    effect,
    unmarkedMeans: POWER.stop,
    effectKey: `${lifecycle}/${restarts}`,
  })
  if (runState === 'Archived') return goal(POWER.stop, AT_REST.includes(lifecycle))
  if (runState === 'Running') return goal(POWER.start, lifecycle === 'Running')
  return ALIVE.includes(lifecycle) ? goal(POWER.suspend, lifecycle === 'Suspended') : goal(POWER.start, false)
}

/** The POWER value that stands for the declared run state once it is reached. */
export function declaredPower(runState: ArchiveSpec['runState']): number {
  return { Running: POWER.start, Suspended: POWER.suspend, Archived: POWER.stop }[runState]
}

/** Where nobody can be given a weight, all weigh the same, which is what the default asks for. */
function weightGoal(weight: number, report: ArchiveReport): Goal {
  const asksNothing = weight === DEFAULT_WEIGHT && report.refusal?.op === OP.WEIGHT
  return {
    op: OP.WEIGHT,
    value: weight,
    effect: !ALIVE.includes(report.lifecycle) || report.weight === weight || asksNothing,
    effectKey: `${report.lifecycle}/${report.restarts}/${report.weight}`,
  }
}

/** A balloon answers only in a running guest; what is declared is held within what was accepted. */
function balloonGoal(targetMiB: number, accepted: Memory, report: ArchiveReport): Goal {
  const withinMiB = Math.min(Math.max(targetMiB, accepted.floorMiB), accepted.maxMiB)
  // A u16: a floor of 1Ti that an earlier spec was admitted with is one unit more than can be said.
  const value = Math.min(Math.round(withinMiB / BALLOON_UNIT_MIB), 0xffff)
  const wantedMiB = value * BALLOON_UNIT_MIB
  return {
    op: OP.BALLOON,
    value,
    effect: report.memoryTargetMiB === wantedMiB && Math.abs(report.memoryActualMiB - wantedMiB) < BALLOON_UNIT_MIB,
    effectKey: `${report.lifecycle}/${report.restarts}/${Math.round(report.memoryActualMiB / MOVED_MIB)}`,
  }
}

/** Every op that should be in force on the slot: POWER first, BALLOON only under policy Manual with a target. */
export function goalsOf(spec: ArchiveSpec, policy: 'Auto' | 'Manual', accepted: Memory, report: ArchiveReport): Goal[] {
  const goals = [powerGoal(spec.runState, report), weightGoal(spec.cpu.weight, report)]
  if (policy === 'Manual' && spec.memory.target !== undefined && report.lifecycle === 'Running')
    goals.push(balloonGoal(quantityMiB(spec.memory.target), accepted, report))
  return goals
}
