// The one line that `systemctl status` shows.
import type { NodeReport } from '../../protocol/telemetry/report.ts'

export function statusLine(report: NodeReport | undefined): string {
  if (!report) return 'waits for its first bundle; ppn agent holding shows how to claim this machine'
  const running = report.archives.filter(({ lifecycle }) => lifecycle === 'Running').length
  const archives = `${running} of ${report.archives.length} archives running`
  const { applied } = report.bundles
  const revision = applied ? `revision ${applied.revision}` : 'no bundle applied'
  return `${revision}; ${archives}`
}
