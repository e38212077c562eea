// Figures that move all the time: they travel in every full snapshot and never cause a delta.
import type { NodeReport } from '../../protocol/telemetry/report.ts'

/** The report with its moving figures at rest: two of them that are equal need no delta between them. */
export function atRest(report: NodeReport): NodeReport {
  return {
    ...report,
    wallClockMs: 0,
    usage: { ...report.usage, memoryFreeMiB: 0 },
    peers: report.peers.map(({ handshakeAgeSeconds: _age, ...p }) => ({ ...p, rxBytes: 0, txBytes: 0 })),
    archives: report.archives.map((a) => ({
      ...a,
      cpuTimeMs: 0,
      ...(a.operation && { operation: { ...a.operation, remainingMs: 0 } }),
    })),
  }
}
