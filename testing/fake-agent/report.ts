// What a fake node says of itself: section 7.3, "Fields".
import { BUNDLE_VERSIONS } from '../../protocol/bundle/versions.ts'
import { OP } from '../../protocol/command/ops.ts'
import type { MiB } from '../../protocol/ids.ts'
import { toBase64 } from '../../protocol/keys.ts'
import type { NodeReport, PeerReport } from '../../protocol/telemetry/report.ts'
import type { Busy, Machines } from './machines.ts'
import { contentOf, heldOf, type Memory } from './memory.ts'

export interface ReportInput {
  memory: Memory
  machines: Machines
  busy: readonly Busy[]
  refusals: ReadonlyMap<string, number>
  version: string
  capacity: { memoryMiB: number; cpus: number }
  nowMs: number
  monotonicMs: number
  synchronised: boolean
}

export function reportOf({ memory, machines, capacity, ...input }: ReportInput): NodeReport {
  const { applied, staged, told, registryHead, keys, pending } = memory
  const content = contentOf(memory)
  return {
    agentVersion: input.version,
    reads: { bundle: [...BUNDLE_VERSIONS.keys()], ops: Object.values(OP) },
    ...(registryHead && { registryHead }),
    bundles: { ...(applied && { applied: heldOf(applied) }), ...(staged && { staged: heldOf(staged) }) },
    ...(told && { told }),
    marks: [...memory.marks.values()],
    marksLost: memory.marksLost,
    bundleLost: false,
    clockSynchronised: input.synchronised,
    wallClockMs: Math.round(input.nowMs),
    isolated: memory.isolated,
    ...(content && {
      interface: {
        name: content.interface.name,
        publicKey: toBase64(keys.wireguard.publicKey),
        address: `${content.node.address}/${content.mesh.cidr.split('/')[1]}`,
        listenPort: content.interface.listenPort,
        mtu: content.interface.mtu,
      },
    }),
    peers: peersOf(memory),
    capacity: { memoryMiB: capacity.memoryMiB as MiB, cpus: capacity.cpus },
    usage: { memoryFreeMiB: Math.max(0, capacity.memoryMiB - machines.memoryInUse()) as MiB, pressure: 'None' },
    pendingKeys: {
      ...(pending.command && { commandPublicKey: toBase64(pending.command.publicKey) }),
      ...(pending.wireguard && { wireguardPublicKey: toBase64(pending.wireguard.publicKey) }),
    },
    refusals: Object.fromEntries(input.refusals),
    archives: machines.reports(input.monotonicMs, input.busy),
    releases: machines.releases(),
    retainedDisks: machines.retained(),
  }
}

/** Every peer of the bundle, up. Isolated: the hub alone, and through it the authorities' own addresses. */
function peersOf(memory: Memory): PeerReport[] {
  const content = contentOf(memory)
  if (!content) return []
  const authorities = content.authorities.flatMap((a) => a.addresses.map((address) => `${address}/32`))
  const hub = content.node.role === 'spoke' ? content.peers.find((p) => p.hub) : undefined
  const peers = memory.isolated ? content.peers.filter((p) => p === hub) : content.peers
  return peers.map(({ nodeId, name, publicKey, endpoint, allowedIPs }) => ({
    nodeId,
    name,
    publicKey,
    handshakeAgeSeconds: 0,
    path: 'Direct',
    reason: 'HandshakeFresh',
    ...(endpoint !== undefined && { endpoint }),
    allowedIPs: memory.isolated ? authorities : allowedIPs,
    rxBytes: 0,
    txBytes: 0,
  }))
}
