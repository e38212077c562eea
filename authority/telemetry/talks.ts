// What each connection has said so far: its snapshot put together from parts, and the deltas on top of it. Nothing of it
// counts before a frame was accepted.
import type { TelemetryFrame } from '../../protocol/telemetry/frame.ts'
import { isWithinBounds, mergeReport } from '../../protocol/telemetry/merge.ts'
import { assembler } from '../../protocol/telemetry/parts.ts'
import type { NodeReport } from '../../protocol/telemetry/report.ts'
import type { TelemetryConnection } from './receiver.ts'

export interface Talks {
  /** The connection's report after this frame; undefined: it is not whole. */
  reportAfter(connection: TelemetryConnection, frame: TelemetryFrame): NodeReport | undefined
  /** A frame was lost: no delta builds on what came before. */
  lose(connection: TelemetryConnection): void
  forget(connection: TelemetryConnection): void
}

interface Talk {
  parts: ReturnType<typeof assembler>
  report?: NodeReport
}

export function connectionTalks(discard: (reason: 'BadFrame' | 'DeltaWithoutBase') => void): Talks {
  const talks = new WeakMap<TelemetryConnection, Talk>()
  const of = (connection: TelemetryConnection): Talk => {
    let talk = talks.get(connection)
    if (!talk) {
      talk = { parts: assembler() }
      talks.set(connection, talk)
    }
    return talk
  }
  return {
    reportAfter(connection, frame) {
      const talk = of(connection)
      if (frame.type === 'full') {
        const assembled = talk.parts.push(frame)
        if (assembled.state === 'rejected') {
          discard('BadFrame')
          talk.report = undefined
        }
        if (assembled.state !== 'complete') return undefined
        talk.report = assembled.report
      } else if (talk.report) {
        const merged = mergeReport(talk.report, frame.body)
        talk.report = isWithinBounds(merged) ? merged : undefined
        if (!talk.report) discard('BadFrame')
      } else discard('DeltaWithoutBase')
      return talk.report
    },
    lose(connection) {
      of(connection).report = undefined
    },
    forget: (connection) => void talks.delete(connection),
  }
}
