// What `wg` and `ip` say of an interface, parsed. A dump holds the private key: it is dropped here, at the door.
import { z } from 'zod'

/** One line of wg(8) `show IFACE dump` that is a peer. */
export interface SeenPeer {
  publicKey: string
  presharedKey: boolean
  /** Numeric host:port. */
  endpoint?: string
  /** Canonical. */
  allowedIPs: string[]
  /** Seconds since 1970; undefined: never. */
  handshakeAt?: number
  rxBytes: number
  txBytes: number
  persistentKeepalive: number
}

export interface SeenDevice {
  /** Undefined: the device has no key yet. */
  publicKey?: string
  listenPort: number
  peers: SeenPeer[]
}

export interface SeenLink {
  up: boolean
  mtu: number
  /** As `ip -details` names it: wireguard, tun, dummy, ...; undefined for a physical one. */
  kind?: string
  /** IPv4, a.b.c.d/n, in the kernel's order. */
  addresses: string[]
}

const none = (field: string | undefined) => (field === undefined || field === '(none)' ? undefined : field)
/** wg(8) prints `off` for zero. */
const number = (field: string | undefined) => Number(none(field) ?? 0) || 0

export function parseDump(dump: string): SeenDevice {
  const [first = '', ...rest] = dump.split('\n').filter((line) => line !== '')
  const [, ownKey, listenPort] = first.split('\t')
  const publicKey = none(ownKey)
  const peers = rest.map((line): SeenPeer => {
    const [key = '', preshared, endpoint, allowed, handshake, rx, tx, keepalive] = line.split('\t')
    const at = number(handshake)
    return {
      publicKey: key,
      presharedKey: none(preshared) !== undefined,
      ...(none(endpoint) !== undefined && { endpoint: none(endpoint) as string }),
      allowedIPs: none(allowed)?.split(',') ?? [],
      ...(at > 0 && { handshakeAt: at }),
      rxBytes: number(rx),
      txBytes: number(tx),
      persistentKeepalive: number(keepalive),
    }
  })
  return { ...(publicKey !== undefined && { publicKey }), listenPort: number(listenPort), peers }
}

const links = z.array(
  z.object({
    flags: z.array(z.string()),
    mtu: z.number(),
    linkinfo: z.object({ info_kind: z.string().optional() }).optional(),
    addr_info: z.array(z.object({ family: z.string(), local: z.string().optional(), prefixlen: z.number() })),
  }),
)

/** Output of `ip -json -details address show dev NAME`. Throws on anything else. */
export function parseLink(json: string): SeenLink {
  const [link] = links.parse(JSON.parse(json))
  if (!link) throw new Error('ip shows no interface')
  const kind = link.linkinfo?.info_kind
  return {
    up: link.flags.includes('UP'),
    mtu: link.mtu,
    ...(kind !== undefined && { kind }),
    addresses: link.addr_info.flatMap((a) => (a.family === 'inet' && a.local ? [`${a.local}/${a.prefixlen}`] : [])),
  }
}

const routes = z.array(z.object({ dst: z.string(), protocol: z.string().optional() }))

/** Our routes carry this protocol number, so that nobody else's are touched; 112 is free in iproute2's table. */
export const ROUTE_PROTOCOL = '112'

export interface SeenRoutes {
  /** Networks that the address itself brings. */
  connected: string[]
  ours: string[]
}

/** Output of `ip -json -4 route show dev NAME`, which is empty when there are none. */
export function parseRoutes(json: string): SeenRoutes {
  const all = json.trim() === '' ? [] : routes.parse(JSON.parse(json))
  const of = (protocol: string) =>
    all.filter((r) => r.protocol === protocol).map((r) => (r.dst.includes('/') ? r.dst : `${r.dst}/32`))
  return { connected: of('kernel'), ours: of(ROUTE_PROTOCOL) }
}
