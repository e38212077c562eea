// The WireGuard interface that the applied bundle asks for. Pure.
import type { BundleContent, BundlePeer } from '../../protocol/bundle/document.ts'
import type { WireGuardConfig, WireGuardPeer } from '../drivers/wireguard/port.ts'

export interface TunnelWish {
  content: BundleContent
  /** base64 */
  privateKey: string
  isolated: boolean
  /** Public key of the hub in use, for a spoke with several. Default: the first. */
  hub?: string
}

export function hubsOf(content: BundleContent): BundlePeer[] {
  return content.node.role === 'spoke' ? content.peers.filter((p) => p.hub) : []
}

function toPeer(peer: BundlePeer, allowedIPs: string[]): WireGuardPeer {
  return {
    publicKey: peer.publicKey,
    ...(peer.endpoint !== undefined && { endpoint: peer.endpoint }),
    allowedIPs,
    persistentKeepalive: peer.keepaliveSeconds,
  }
}

/** On a spoke the hub in use carries the networks that the bundle gives to the first one, the others their own /32. */
function viaHub(content: BundleContent, hubKey: string | undefined): BundlePeer[] {
  const hubs = hubsOf(content)
  const first = hubs[0]
  const used = hubs.find((h) => h.publicKey === hubKey) ?? first
  if (!first || !used || used === first) return content.peers
  const carried = first.allowedIPs.slice(1)
  return content.peers.map((p) => {
    if (p === first) return { ...p, allowedIPs: p.allowedIPs.slice(0, 1) }
    if (p === used)
      return { ...p, allowedIPs: [...p.allowedIPs, ...carried.filter((ip) => !p.allowedIPs.includes(ip))] }
    return p
  })
}

/** Isolation is an overlay: nobody but the hub, and through it only the authorities' own addresses. */
function isolate(content: BundleContent, peers: BundlePeer[], hubKey: string | undefined): BundlePeer[] {
  const hubs = hubsOf(content)
  const used = hubs.find((h) => h.publicKey === hubKey) ?? hubs[0]
  const authorities = content.authorities.flatMap((a) => a.addresses.map((address) => `${address}/32`))
  return peers
    .filter((p) => p.publicKey === used?.publicKey)
    .map((p) => ({ ...p, allowedIPs: [...new Set(authorities)] }))
}

export function tunnelConfig(wish: TunnelWish): WireGuardConfig {
  const { content } = wish
  const routed = viaHub(content, wish.hub)
  const peers = wish.isolated ? isolate(content, routed, wish.hub) : routed
  return {
    name: content.interface.name,
    privateKey: wish.privateKey,
    address: `${content.node.address}/${content.mesh.cidr.split('/')[1]}`,
    listenPort: content.interface.listenPort,
    mtu: content.interface.mtu,
    peers: peers.map((p) => toPeer(p, p.allowedIPs)),
    ...(content.node.role === 'hub' && {
      forward: {
        authorities: [...new Set(content.authorities.flatMap((a) => a.addresses))],
        commandPort: content.mesh.ports.command,
      },
    }),
  }
}
