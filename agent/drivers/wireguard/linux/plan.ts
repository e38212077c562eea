// The difference between what is wanted of an interface and what is seen, as a list of effects. Pure.
//
// A peer that fits is not named at all: WireGuard takes each peer by itself, and what is not named loses no packet.
import type { SeenDevice, SeenLink, SeenPeer, SeenRoutes } from './seen.ts'
import { canonicalCidr, holds } from './valid.ts'

/** A peer as it should be; the endpoint is there only when it has to be written. */
export interface WantedPeer {
  publicKey: string
  allowedIPs: string[]
  persistentKeepalive: number
  /** Numeric host:port. */
  endpoint?: string
  /** Its session ends and a new one has to prove the way: the peer is taken out and put in again, in one call. */
  renew?: boolean
}

export interface Wanted {
  publicKey: string
  /** a.b.c.d/n */
  address: string
  listenPort: number
  mtu: number
  peers: WantedPeer[]
}

export type PeerChange =
  | { publicKey: string; remove: true }
  | {
      publicKey: string
      renew?: true
      endpoint?: string
      allowedIPs?: string[]
      persistentKeepalive?: number
      noPresharedKey?: true
    }

export type Effect =
  | { do: 'wg'; privateKey?: true; listenPort?: number; peers: PeerChange[] }
  | { do: 'dropAddress'; address: string }
  | { do: 'address'; address: string }
  | { do: 'mtu'; mtu: number }
  | { do: 'up' }
  | { do: 'connectedRoute'; network: string; source: string }
  | { do: 'route'; network: string }
  | { do: 'dropRoute'; network: string }

/** `routes` undefined: not asked, because the link is new. */
export function planTunnel(
  wanted: Wanted,
  device: SeenDevice,
  link: SeenLink,
  routes: SeenRoutes = { connected: [], ours: [] },
): Effect[] {
  return [...planDevice(wanted, device), ...planLink(wanted, link), ...planRoutes(wanted, link, routes)]
}

function planDevice(wanted: Wanted, device: SeenDevice): Effect[] {
  const rekeyed = device.publicKey !== wanted.publicKey
  const moved = device.listenPort !== wanted.listenPort
  const peers = planPeers(wanted.peers, device.peers, rekeyed)
  if (!rekeyed && !moved && peers.length === 0) return []
  const change: Effect = {
    do: 'wg',
    ...(rekeyed && { privateKey: true as const }),
    ...(moved && { listenPort: wanted.listenPort }),
    peers: rekeyed ? peers.map(afresh) : peers,
  }
  const ended = rekeyed ? peers.filter((peer) => 'renew' in peer) : []
  return ended.length === 0 ? [change] : [{ do: 'wg', peers: ended.map(removal) }, change]
}

/**
 * wg(8) sets the key before it takes a peer out, however the words stand. A packet sent between the two would begin a
 * handshake under the new key and the peer put in again another one at once: the same moment to WireGuard, which counts
 * in steps of 17 ms, so a replay that nobody answers before the 5 s of REKEY_TIMEOUT are over. So the peer goes first.
 */
const removal = ({ publicKey }: PeerChange): PeerChange => ({ publicKey, remove: true })
const afresh = (change: PeerChange): PeerChange => {
  if (!('renew' in change)) return change
  const { renew: _, ...rest } = change
  return rest
}

/**
 * Who gains an address comes first: WireGuard takes it from whoever had it in the same step, so nothing is without a
 * way in between, and who has lost only that needs no word. Removals come last for the same reason.
 */
function planPeers(wanted: readonly WantedPeer[], seen: readonly SeenPeer[], rekeyed: boolean): PeerChange[] {
  const now = new Map(seen.map((peer) => [peer.publicKey, new Set(peer.allowedIPs)]))
  const before = new Map(seen.map((peer) => [peer.publicKey, peer]))
  const take = (publicKey: string, addresses: readonly string[]) => {
    for (const held of now.values()) for (const address of addresses) held.delete(address)
    now.set(publicKey, new Set(addresses))
  }
  const changes: PeerChange[] = []
  const gains = (peer: WantedPeer) => peer.allowedIPs.some((ip) => !now.get(peer.publicKey)?.has(canonical(ip)))
  const inOrder = [...wanted.filter(gains), ...wanted.filter((peer) => !gains(peer))]
  for (const peer of inOrder) {
    const there = before.get(peer.publicKey)
    const addresses = peer.allowedIPs.map(canonical)
    // A new key is a new identity: sessions made with the old one end, whatever the implementation would keep.
    const renew = there !== undefined && (rekeyed || peer.renew === true)
    const whole = there === undefined || renew
    const endpoint = peer.endpoint ?? (renew ? there?.endpoint : undefined)
    const fits = !whole && sameSet(now.get(peer.publicKey) ?? new Set(), addresses)
    const keepalive = whole ? peer.persistentKeepalive > 0 : there?.persistentKeepalive !== peer.persistentKeepalive
    const change: PeerChange = {
      publicKey: peer.publicKey,
      ...(renew && { renew: true as const }),
      ...(endpoint !== undefined && { endpoint }),
      ...(!fits && { allowedIPs: addresses }),
      ...(keepalive && { persistentKeepalive: peer.persistentKeepalive }),
      ...(there?.presharedKey && !renew && { noPresharedKey: true as const }),
    }
    take(peer.publicKey, addresses)
    if (Object.keys(change).length > 1) changes.push(change)
  }
  const keep = new Set(wanted.map((peer) => peer.publicKey))
  const gone = seen.filter((peer) => !keep.has(peer.publicKey))
  return [...changes, ...gone.map(({ publicKey }) => ({ publicKey, remove: true as const }))]
}

function planLink(wanted: Wanted, link: SeenLink): Effect[] {
  const effects: Effect[] = []
  const strangers = link.addresses.filter((address) => address !== wanted.address)
  for (const address of strangers) effects.push({ do: 'dropAddress', address })
  // With a primary address the kernel drops the secondary ones of its network, so ours may be gone by now as well.
  if (strangers.length > 0 || !link.addresses.includes(wanted.address))
    effects.push({ do: 'address', address: wanted.address })
  if (link.mtu !== wanted.mtu) effects.push({ do: 'mtu', mtu: wanted.mtu })
  if (!link.up) effects.push({ do: 'up' })
  return effects
}

function planRoutes(wanted: Wanted, link: SeenLink, routes: SeenRoutes): Effect[] {
  const network = canonical(wanted.address)
  const effects: Effect[] = []
  // Setting the address or the link up brings this route back by itself.
  const stands = link.up && link.addresses.length === 1 && link.addresses[0] === wanted.address
  if (stands && !routes.connected.includes(network) && !network.endsWith('/32'))
    effects.push({ do: 'connectedRoute', network, source: wanted.address.split('/')[0] ?? '' })
  const needed = new Set(
    wanted.peers
      .flatMap((peer) => peer.allowedIPs.map(canonical))
      // The way out of the machine is never taken over.
      .filter((cidr) => !holds(network, cidr) && !cidr.endsWith('/0')),
  )
  for (const cidr of needed) if (!routes.ours.includes(cidr)) effects.push({ do: 'route', network: cidr })
  for (const cidr of routes.ours) if (!needed.has(cidr)) effects.push({ do: 'dropRoute', network: cidr })
  return effects
}

const canonical = (cidr: string) => canonicalCidr(cidr) ?? cidr
const sameSet = (have: ReadonlySet<string>, want: readonly string[]) =>
  have.size === new Set(want).size && want.every((item) => have.has(item))
