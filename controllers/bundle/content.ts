// What may exist on one node (section 7.2), from what is declared and allocated. Pure, and the same for the same input
// whatever its order, so that the digest moves only when the content does.
import type { MeshSpec } from '../../api/v1alpha1/mesh.ts'
import type {
  BundleArchive,
  BundleAuthority,
  BundleContent,
  BundlePeer,
  BundlePool,
} from '../../protocol/bundle/document.ts'
import type { WantedContent } from '../ports/bundles.ts'
import type { Member } from './members.ts'

export interface BundleInput {
  node: Member
  /** Every member of the mesh; the node itself among them is skipped. */
  members: readonly Member[]
  /** Those of them that are hubs, in the order in which spokes try them. */
  hubs: readonly Member[]
  mesh: { name: string; spec: MeshSpec }
  authorities: readonly Omit<BundleAuthority, 'addresses'>[]
  /** In order, 1 to 3. */
  authorityAddresses: readonly string[]
  operatorKey: string
  meshEpochMs: number
  pool: BundlePool
  archives: readonly BundleArchive[]
  pushes?: BundleContent['pushes']
}

export function bundleContent(input: BundleInput): WantedContent {
  const { node, mesh } = input
  const { ports, cidr, mtu } = mesh.spec
  const isOther = (member: Member) => member.name !== node.name
  return {
    authorities: input.authorities.map((authority) => ({ ...authority, addresses: [...input.authorityAddresses] })),
    operatorKey: input.operatorKey,
    meshEpochMs: input.meshEpochMs,
    mesh: { name: mesh.name, cidr, ports: { ...ports } },
    node: { name: node.name, role: node.role, address: node.address },
    interface: {
      name: mesh.spec.interface,
      mtu,
      listenPort: ports.wireguard,
      ...(node.rekeyed && { publicKey: node.wireguardPublicKey }),
    },
    peers:
      node.role === 'hub'
        ? hubPeers(input.members.filter(isOther), mesh.spec)
        : spokePeers(input.hubs.filter(isOther), mesh.spec),
    pool: input.pool,
    archives: input.archives.toSorted((a, b) => a.slot - b.slot),
    pushes: [...(input.pushes ?? [])],
  }
}

/** The hubs in order; the first carries the mesh, so a new spoke changes no other spoke's bundle. */
function spokePeers(hubs: readonly Member[], mesh: MeshSpec): BundlePeer[] {
  return hubs.map((hub, at) => ({
    ...peer(hub),
    allowedIPs: at === 0 ? [`${hub.address}/32`, mesh.cidr] : [`${hub.address}/32`],
    keepaliveSeconds: mesh.keepaliveSeconds,
  }))
}

/** Everyone. Spokes keep the tunnel alive from their side of the NAT; hubs do so with each other. */
function hubPeers(others: readonly Member[], mesh: MeshSpec): BundlePeer[] {
  return others
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map((other) => ({
      ...peer(other),
      allowedIPs: [`${other.address}/32`],
      keepaliveSeconds: other.role === 'hub' ? mesh.keepaliveSeconds : 0,
    }))
}

function peer(member: Member): Omit<BundlePeer, 'allowedIPs' | 'keepaliveSeconds'> {
  const hub = member.role === 'hub'
  return {
    nodeId: member.nodeId,
    name: member.name,
    publicKey: member.wireguardPublicKey,
    ...(hub && member.endpoint !== undefined && { endpoint: member.endpoint }),
    hub,
  }
}
