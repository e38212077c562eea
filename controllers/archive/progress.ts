// Where one op on a slot stands (section 7.1, "Effects under way"). Pure.
//
//   mark has another value, or another value is in flight  -> needed     send it
//   mark fits, effect fits                                 -> settled    nothing to do
//   mark fits, the operation is in progress                -> underWay   withdraw: it would change nothing
//   mark fits, a final refusal is shown                    -> refused    withdraw until spec or effect changes
//   mark fits, nothing is shown                            -> unshown    a fresh sequence every 60 s
import { OP, POWER } from '../../protocol/command/ops.ts'
import type { ArchiveReport, Lifecycle, Mark, RefusalReason } from '../../protocol/telemetry/report.ts'
import type { Goal } from './goals.ts'

export type Progress =
  | { state: 'settled' | 'underWay' | 'needed' | 'unshown' }
  | { state: 'refused'; reason: RefusalReason; message: string }

export interface ProgressInput {
  goal: Goal
  /** The slot's mark for this op, void ones left out. */
  mark?: Mark
  report: ArchiveReport
  restartPolicy: 'Always' | 'OnFailure' | 'Never'
  /** What this authority last put on the wire for (op, slot), confirmed or not. */
  lastSent?: number
}

export function progressOf(input: ProgressInput): Progress {
  const { goal, mark, report, lastSent } = input
  if ((mark?.value ?? goal.unmarkedMeans) !== goal.value) return { state: 'needed' }
  // The opposite may still be in flight: only a newer packet of the same op makes it stale.
  if (lastSent !== undefined && lastSent !== goal.value) return { state: 'needed' }
  if (goal.effect) return { state: 'settled' }
  if (report.operation?.op === goal.op && report.operation.value === goal.value) return { state: 'underWay' }
  const { refusal } = report
  if (refusal?.op === goal.op && refusal.value === goal.value)
    return { state: 'refused', reason: refusal.reason, message: refusal.message }
  return goal.op === OP.POWER ? powerWithoutWord(input) : { state: 'unshown' }
}

const STARTING: readonly Lifecycle[] = ['Preparing', 'Starting', 'BackOff']

/** The lifecycle itself says that a start or stop is under way, or that the node has given up. */
function powerWithoutWord({ goal, mark, report, restartPolicy }: ProgressInput): Progress {
  const { lifecycle } = report
  if (goal.value === POWER.stop) return { state: lifecycle === 'Stopping' ? 'underWay' : 'unshown' }
  if (goal.value !== POWER.start) return { state: 'unshown' }
  if (report.errorCode !== undefined || lifecycle === 'Failed') return failed(errorText(report) ?? 'the node gave up')
  if (STARTING.includes(lifecycle)) return { state: 'underWay' }
  // Restarts after a crash belong to the node: the authority starts nothing that the policy says to leave.
  const crashed = lifecycle === 'Crashed'
  if (!crashed && lifecycle !== 'Stopped') return { state: 'unshown' }
  if (restartPolicy === 'Always' || (crashed && restartPolicy === 'OnFailure'))
    return { state: crashed ? 'underWay' : 'unshown' }
  if (mark?.state !== 'done') return { state: 'unshown' }
  return failed(`the guest ${crashed ? 'crashed' : 'ended by itself'}; restartPolicy is ${restartPolicy}`)
}

const failed = (message: string): Progress => ({ state: 'refused', reason: 'Failed', message })

/** The node's stable error code with its text; undefined when there is none. */
export function errorText({ errorCode, errorMessage }: ArchiveReport): string | undefined {
  if (errorCode === undefined) return undefined
  return errorMessage === undefined ? errorCode : `${errorCode}: ${errorMessage}`
}
