// When a command that was obeyed without a visible outcome goes out again. Pure: memory in, memory out. The memory
// lives in the authority's process only; losing it costs one packet too many or one minute, never a wrong act.
import type { Mark } from '../../protocol/telemetry/report.ts'
import type { Goal } from './goals.ts'
import type { Progress } from './progress.ts'

/** Section 7.1: a fresh sequence after this long, while neither effect, operation nor refusal is shown. */
export const REISSUE_MS = 60_000

/** Of one op on one archive. */
export interface OpMemory {
  /** The value it is about; another one starts anew. */
  value: number
  /** How often a fresh sequence was asked for; never falls. */
  reissue: number
  /** Clock.monotonic() since which nothing is shown. */
  unshownMs?: number
  /** The command is being sent now. */
  sending: boolean
  /** The refusal in force when it was first seen; `retried`: asked once more since the effect moved. */
  refused?: { key: string; mark: string; retried: boolean }
}

export interface Paced {
  memory: OpMemory
  /** Present: want this command. */
  send?: { reissue: number }
  /** Look again after this long. */
  againMs?: number
}

export interface PaceInput {
  goal: Goal
  progress: Progress
  mark?: Mark
  /** Spec changes lift a refusal. */
  generation: number
  nowMs: number
}

export function pace(before: OpMemory | undefined, input: PaceInput): Paced {
  const { goal, progress } = input
  const last: OpMemory =
    before?.value === goal.value ? before : { value: goal.value, reissue: before?.reissue ?? 0, sending: false }
  const quiet = { value: goal.value, reissue: last.reissue, sending: false }
  switch (progress.state) {
    case 'settled':
    case 'underWay':
      // `before` known: when the effect vanishes later, it is from then on that 60 s count.
      return { memory: quiet }
    case 'needed':
      return { memory: { ...quiet, sending: true }, send: { reissue: last.reissue } }
    case 'refused':
      return afterRefusal(last, quiet, input)
    case 'unshown':
      return unshown(before, last, input.nowMs)
  }
}

function unshown(before: OpMemory | undefined, last: OpMemory, nowMs: number): Paced {
  const since = last.unshownMs ?? nowMs
  const due = nowMs - since >= REISSUE_MS
  const reissue = due ? last.reissue + 1 : last.reissue
  // Known to nobody (a new authority): what differs from what is declared is said at once. Withdrawn a moment ago,
  // because it was under way or in force: the node has its 60 s to show what became of it.
  const sending = due || last.sending || before === undefined
  const unshownMs = due ? nowMs : since
  return {
    memory: { value: last.value, reissue, unshownMs, sending },
    ...(sending && { send: { reissue } }),
    againMs: unshownMs + REISSUE_MS - nowMs,
  }
}

function afterRefusal(last: OpMemory, quiet: OpMemory, { goal, mark, generation }: PaceInput): Paced {
  const key = `${generation}/${goal.effectKey}`
  const at = mark ? `${mark.term}/${mark.sequence}` : ''
  const known = last.refused
  if (!known || known.mark !== at) return { memory: { ...quiet, refused: { key, mark: at, retried: false } } }
  if (known.retried) return { memory: { ...last, sending: true }, send: { reissue: last.reissue } }
  if (known.key === key) return { memory: { ...quiet, refused: known } }
  const reissue = last.reissue + 1
  return { memory: { ...quiet, reissue, sending: true, refused: { ...known, retried: true } }, send: { reissue } }
}
