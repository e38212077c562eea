// What the node says of each peer in its bundle: section 8, liveness with keepalive. Pure.
import type { BundleContent } from '../../protocol/bundle/document.ts'
import type { PeerReport } from '../../protocol/telemetry/report.ts'
import type { WireGuardState } from '../drivers/wireguard/port.ts'

const UP_SECONDS = 150
const SUSPECT_SECONDS = 180

export function pathOf(ageSeconds: number | undefined): Pick<PeerReport, 'path' | 'reason'> {
  if (ageSeconds === undefined) return { path: 'Down', reason: 'NoHandshake' }
  if (ageSeconds < UP_SECONDS) return { path: 'Direct', reason: 'HandshakeFresh' }
  if (ageSeconds < SUSPECT_SECONDS) return { path: 'Direct', reason: 'HandshakeAging' }
  return { path: 'Down', reason: 'HandshakeStale' }
}

/** One entry a peer that the interface has; a peer of the bundle that it lacks (isolation) is not reported. */
export function peerReports(content: BundleContent, state: WireGuardState | undefined): PeerReport[] {
  const reports: PeerReport[] = []
  for (const peer of state?.peers ?? []) {
    const known = content.peers.find((p) => p.publicKey === peer.publicKey)
    if (!known) continue
    reports.push({
      nodeId: known.nodeId,
      name: known.name,
      publicKey: peer.publicKey,
      ...(peer.handshakeAgeSeconds !== undefined && { handshakeAgeSeconds: Math.floor(peer.handshakeAgeSeconds) }),
      ...pathOf(peer.handshakeAgeSeconds),
      ...(peer.endpoint !== undefined && { endpoint: peer.endpoint }),
      allowedIPs: peer.allowedIPs,
      rxBytes: peer.rxBytes,
      txBytes: peer.txBytes,
    })
  }
  return reports
}
