// What the node says of itself: drivers' last answers, marks, bundles, archives. Pure.

import type { BundleContent } from '../protocol/bundle/document.ts'
import { toBase64 } from '../protocol/keys.ts'
import type { ArchiveReport, Mark, NodeReport } from '../protocol/telemetry/report.ts'
import { pressureOf } from './apply/balloon/plan.ts'
import type { Observed } from './apply/observer.ts'
import type { AgentKeys } from './keys/agent-keys.ts'
import { peerReports } from './tunnel/paths.ts'

/** The bounds of protocol/telemetry/report.ts. */
const RELEASES_SHOWN = 255
const DISKS_SHOWN = 1024
const ARCHIVES_SHOWN = 255

export interface ReportInput {
  version: string
  reads: NodeReport['reads']
  nowMs: number
  observed: Observed
  keys: AgentKeys
  content: BundleContent | undefined
  held: Pick<NodeReport, 'bundles' | 'bundleLost' | 'told'>
  registryHead: NodeReport['registryHead']
  marks: readonly Mark[]
  marksLost: boolean
  /** The overlay is asked for; what the interface shows decides. */
  isolated: boolean
  refusals: Record<string, number>
  archives: readonly ArchiveReport[]
  releases: NodeReport['releases']
  retainedDisks: NodeReport['retainedDisks']
}

/**
 * Does the interface let nothing pass but the way to the authority? Asked for is not yet so (law 2). A node that has no
 * other peers than those is the same either way.
 */
function isIsolated(asked: boolean, content: BundleContent | undefined, tunnel: Observed['tunnel']): boolean {
  if (!content || !tunnel || tunnel.peers.length === 0) return asked
  const authorities = new Set(content.authorities.flatMap((a) => a.addresses.map((address) => `${address}/32`)))
  const nothingElse = (peers: readonly { allowedIPs: readonly string[] }[]) =>
    peers.every((p) => p.allowedIPs.every((ip) => authorities.has(ip)))
  return nothingElse(content.peers) ? asked : nothingElse(tunnel.peers)
}

export function buildReport(input: ReportInput): NodeReport {
  const { observed, content, keys } = input
  const { tunnel, usage, capacity } = observed
  const { command, wireguard } = keys.pending
  const pressure = content
    ? pressureOf(content.pool, capacity.memoryMiB, usage.memoryFreeMiB, usage.psiSomeAvg10)
    : 'None'
  return {
    agentVersion: input.version,
    reads: input.reads,
    ...(input.registryHead && { registryHead: input.registryHead }),
    ...input.held,
    marks: [...input.marks],
    marksLost: input.marksLost,
    clockSynchronised: observed.clockSynchronised,
    wallClockMs: Math.round(input.nowMs),
    isolated: isIsolated(input.isolated, content, tunnel),
    ...(tunnel && {
      interface: {
        name: tunnel.name,
        publicKey: tunnel.publicKey,
        address: tunnel.address,
        listenPort: tunnel.listenPort,
        mtu: tunnel.mtu,
      },
    }),
    peers: content ? peerReports(content, tunnel, observed.unanswered) : [],
    capacity: {
      memoryMiB: Math.round(capacity.memoryMiB),
      cpus: capacity.cpus,
      ...(observed.lacks.length > 0 && { lacks: observed.lacks }),
    },
    usage: {
      memoryFreeMiB: Math.round(usage.memoryFreeMiB),
      pressure,
      ...(usage.vmOverheadMiB !== undefined && { vmOverheadMiB: Math.round(usage.vmOverheadMiB) }),
    },
    pendingKeys: {
      ...(command && { commandPublicKey: toBase64(command.publicKey) }),
      ...(wireguard && { wireguardPublicKey: toBase64(wireguard.publicKey) }),
    },
    refusals: input.refusals,
    archives: input.archives.slice(0, ARCHIVES_SHOWN),
    releases: input.releases.slice(-RELEASES_SHOWN),
    retainedDisks: input.retainedDisks.slice(0, DISKS_SHOWN),
  }
}
