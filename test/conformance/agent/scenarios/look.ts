// What a scenario reads from telemetry, and what several of them do.
import { OP } from '../../../../protocol/command/ops.ts'
import { sequenceAt } from '../../../../protocol/command/sequence.ts'
import type { Bench } from '../bench.ts'

export interface Scenario {
  name: string
  /** Runs on a node that has joined; what it returns is compared. */
  run(bench: Bench): Promise<unknown>
  outcome: unknown
}

export const altered = (bytes: Uint8Array, at: number, to?: number): Uint8Array => {
  const copy = new Uint8Array(bytes)
  copy[at] = to ?? (copy[at] as number) ^ 1
  return copy
}
/** [op, slot, value, term, state] */
export const marks = (b: Bench) => b.report().marks.map((m) => [m.op, m.slot, m.value, m.term, m.state])
export const refusals = (b: Bench) => b.report().refusals
export const archive = (b: Bench, slot = 1) => b.report().archives.find((a) => a.slot === slot)
export const lifecycle = (b: Bench, slot = 1) => archive(b, slot)?.lifecycle
export const now = (b: Bench) => sequenceAt(b.authority.meshEpochMs, b.clock.now())
/** Revisions held, and what was told. */
export const held = (b: Bench) => {
  const { bundles, told } = b.report()
  return { applied: bundles.applied?.revision, staged: bundles.staged?.revision, told: told?.revision }
}
export const power = async (b: Bench, value: number) => {
  await b.authority.send(OP.POWER, { slot: 1, value })
  await b.settle()
  return lifecycle(b)
}
