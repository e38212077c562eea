// ISOLATE: an overlay on the agent, wanted until telemetry shows mark and effect.
import { OP } from '../../protocol/command/ops.ts'
import type { Slot } from '../../protocol/ids.ts'
import type { NodeReport } from '../../protocol/telemetry/report.ts'
import type { WantedCommand } from '../ports/commands.ts'
import type { NodeView } from '../ports/fleet.ts'

/**
 * A node declared isolated that has not been heard for this long after our start is told blindly: it may be deaf only
 * in our direction. Earlier it is given the time to show that it is isolated already (law 6).
 */
export const BLIND_AFTER_MS = 60_000

/** Telemetry shows the declared value's mark and the effect. No mark counts as never isolated. */
export function isolationShown(report: NodeReport | undefined, isolated: boolean): boolean {
  if (!report) return false
  const mark = report.marks.find(({ op, slot }) => op === OP.ISOLATE && slot === 0)
  const done = mark === undefined ? !isolated : mark.state === 'done' && mark.value === Number(isolated)
  return done && report.isolated === isolated
}

export interface IsolationInput {
  declared: boolean
  view: NodeView
  /** A value sent and not shown yet must be overruled, although the effect already fits. */
  lastSent: number | undefined
  runningMs: number
}

export function isolateCommands({ declared, view, lastSent, runningMs }: IsolationInput): WantedCommand[] {
  const value = Number(declared)
  const command = { op: OP.ISOLATE, slot: 0 as Slot, value }
  const overruled = lastSent !== undefined && lastSent !== value
  if (view.report) return isolationShown(view.report, declared) && !overruled ? [] : [command]
  return overruled || (declared && runningMs >= BLIND_AFTER_MS) ? [command] : []
}
