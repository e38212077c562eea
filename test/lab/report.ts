// What a suite says at its end: recovery as time and packets lost, one line an event.
import { alignRows } from '../../cli/output/table.ts'
import type { ProbeResult } from './probe.ts'

export interface Recovery {
  what: string
  /** Of a probe that ran all the while. */
  probe?: ProbeResult
  /** Until the authority showed what was expected, ms. */
  tookMs?: number
  note?: string
}

export function recoveryTable(events: readonly Recovery[]): string {
  const rows = events.map(({ what, probe, tookMs, note = '' }) => [
    what,
    probe ? `${probe.lost} of ${probe.sent}` : '',
    probe ? `${probe.outageMs.toFixed(0)} ms` : '',
    tookMs === undefined ? '' : `${(tookMs / 1000).toFixed(1)} s`,
    note,
  ])
  return alignRows([['EVENT', 'PACKETS LOST', 'LONGEST SILENCE', 'SEEN AFTER', ''], ...rows])
}
