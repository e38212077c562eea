// What all rounds together say, as a table: one row a contestant.
import { summarise } from '../stats.ts'
import { markdownTable } from '../table.ts'
import type { Measured } from './measure.ts'
import type { MeasuredAuthority } from './measure-authority.ts'

export interface Rounds {
  what: string
  rounds: readonly Measured[]
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`
const millis = (ms: number) => `${ms.toFixed(ms < 10 ? 1 : 0)} ms`
const mib = (n: number) => `${n.toFixed(0)} MiB`

/** The middle of the rounds, with the least and the most where they differ as printed. */
function middle<Round>(
  rounds: readonly Round[],
  read: (round: Round) => number,
  print: (value: number) => string,
): string {
  const { median, min, max } = summarise(rounds.map(read))
  const spread = print(min) === print(max) ? '' : ` (${print(min)} - ${print(max)})`
  return `${print(median)}${spread}`
}

const requests = (counts: Record<string, number>): string =>
  Object.entries(counts)
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([what, count]) => `${count} ${what}`)
    .join(', ')

export function coldTable(all: readonly Rounds[]): string {
  const head = ['by', 'last command', 'last status', 'processor time', 'RSS settled', 'of it own', 'peak', 'requests']
  const rows = all.map(({ what, rounds }) => [
    what,
    middle(rounds, (r) => r.coldEffectMs, seconds),
    middle(rounds, (r) => r.coldStatusMs, seconds),
    middle(rounds, (r) => r.coldCpuMs, seconds),
    middle(rounds, (r) => r.settledMiB, mib),
    middle(rounds, (r) => r.settledOwnMiB, mib),
    middle(rounds, (r) => r.peakMiB, mib),
    requests(rounds.at(-1)?.coldRequests ?? {}),
  ])
  return markdownTable(head, rows)
}

export function changeTable(all: readonly Rounds[]): string {
  const head = [
    'by',
    'samples',
    'p50',
    'p99',
    'most',
    'API answer p50',
    'p99',
    'processor time a change',
    'of 100 at once: p50',
    'last',
    'RSS at the end',
  ]
  const rows = all.map(({ what, rounds }) => {
    const effect = summarise(rounds.flatMap((r) => r.effectMs))
    const answer = summarise(rounds.flatMap((r) => r.answerMs))
    return [
      what,
      String(effect.samples),
      millis(effect.median),
      millis(effect.p99),
      millis(effect.max),
      millis(answer.median),
      millis(answer.p99),
      middle(rounds, (r) => r.updateCpuMs / r.effectMs.length, millis),
      middle(rounds, (r) => summarise(r.burstMs).median, millis),
      middle(rounds, (r) => summarise(r.burstMs).max, millis),
      middle(rounds, (r) => r.endMiB, mib),
    ]
  })
  return markdownTable(head, rows)
}

export function authorityTable(what: string, rounds: readonly MeasuredAuthority[]): string {
  const head = [
    ...['by', 'last status', 'processor time', 'RSS settled', 'of it own', 'peak', 'requests'],
    ...['change to status: samples', 'p50', 'p99', 'API answer p50'],
  ]
  const status = summarise(rounds.flatMap((r) => r.statusMs))
  const row = [
    what,
    middle(rounds, (r) => r.coldStatusMs, seconds),
    middle(rounds, (r) => r.coldCpuMs, seconds),
    middle(rounds, (r) => r.settledMiB, mib),
    middle(rounds, (r) => r.settledOwnMiB, mib),
    middle(rounds, (r) => r.peakMiB, mib),
    requests(rounds.at(-1)?.coldRequests ?? {}),
    String(status.samples),
    millis(status.median),
    millis(status.p99),
    millis(summarise(rounds.flatMap((r) => r.answerMs)).median),
  ]
  return markdownTable(head, [row])
}
