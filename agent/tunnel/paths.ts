// What the node says of each peer in its bundle: section 8, liveness with keepalive. Pure.
import type { BundleContent } from '../../protocol/bundle/document.ts'
import type { PeerReport } from '../../protocol/telemetry/report.ts'
import { type Liveness, livenessOf } from '../drivers/wireguard/liveness.ts'
import type { WireGuardState } from '../drivers/wireguard/port.ts'

const PATHS: Record<Liveness, Pick<PeerReport, 'path' | 'reason'>> = {
  never: { path: 'Down', reason: 'NoHandshake' },
  up: { path: 'Direct', reason: 'HandshakeFresh' },
  suspect: { path: 'Direct', reason: 'HandshakeAging' },
  down: { path: 'Down', reason: 'HandshakeStale' },
}

const UNANSWERED: Pick<PeerReport, 'path' | 'reason'> = { path: 'Down', reason: 'SentUnanswered' }

export function pathOf(ageSeconds: number | undefined): Pick<PeerReport, 'path' | 'reason'> {
  return PATHS[livenessOf(ageSeconds)]
}

/** One entry a peer that the interface has; a peer of the bundle that it lacks (isolation) is not reported. */
export function peerReports(
  content: BundleContent,
  state: WireGuardState | undefined,
  /** Public keys of those who do not answer (silence.ts). */
  unanswered: ReadonlySet<string>,
): PeerReport[] {
  const reports: PeerReport[] = []
  for (const peer of state?.peers ?? []) {
    const known = content.peers.find((p) => p.publicKey === peer.publicKey)
    if (!known) continue
    reports.push({
      nodeId: known.nodeId,
      name: known.name,
      publicKey: peer.publicKey,
      ...(peer.handshakeAgeSeconds !== undefined && { handshakeAgeSeconds: Math.floor(peer.handshakeAgeSeconds) }),
      ...(unanswered.has(peer.publicKey) ? UNANSWERED : pathOf(peer.handshakeAgeSeconds)),
      ...(peer.endpoint !== undefined && { endpoint: peer.endpoint }),
      allowedIPs: peer.allowedIPs,
      rxBytes: peer.rxBytes,
      txBytes: peer.txBytes,
    })
  }
  return reports
}
