// What a config may hold before any of it reaches a command line. A bundle is signed, not harmless: its bounds are
// wider than those of `ip` and `wg`.
import { isIPv4, isIPv6, SocketAddress } from 'node:net'
import { PpnError } from '../../../../base/errors.ts'
import type { WireGuardConfig } from '../port.ts'

/** What a Mesh may name (wg-quick(8) takes the same), without what would read as an option or a path. 15 = IFNAMSIZ - 1. */
const INTERFACE = /^[A-Za-z0-9_][A-Za-z0-9_=+.-]{0,14}$/
/** 32 bytes in base64: the 43rd symbol carries 4 bits and two zeros. */
const KEY = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/
const HOST = /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$/

export interface Endpoint {
  /** An address or a name. */
  host: string
  port: number
}

function invalid(what: string, value: unknown): PpnError {
  return new PpnError('TunnelInvalid', { what, value: String(value) })
}

/** Throws TunnelInvalid. */
export function checkName(name: string): void {
  if (!INTERFACE.test(name)) throw invalid('the interface name', JSON.stringify(name))
}

/** host:port or [IPv6]:port; undefined: neither. */
export function parseEndpoint(text: string): Endpoint | undefined {
  const m = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text)
  const port = Number(m?.[3])
  if (!m || port < 1 || port > 65535) return undefined
  if (m[1] !== undefined) return isIPv6(m[1]) ? { host: canonicalAddress(m[1]), port } : undefined
  const host = m[2] ?? ''
  // 10.8.0.300 is a name by its form, and no resolver should be asked for it.
  if (!isIPv4(host) && (!HOST.test(host) || /^[0-9.]+$/.test(host))) return undefined
  return { host, port }
}

/** The one way to write an address, so that what wg(8) prints can be compared. */
export function canonicalAddress(address: string): string {
  return isIPv6(address) ? new SocketAddress({ address, family: 'ipv6' }).address : address
}

export function formatEndpoint({ host, port }: Endpoint): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`
}

/** a.b.c.d/n with the host's bits cleared, as WireGuard keeps allowed addresses; undefined: not a network. */
export function canonicalCidr(text: string): string | undefined {
  const [address = '', prefix = ''] = text.split('/')
  if (!isIPv4(address) || !/^\d{1,2}$/.test(prefix) || Number(prefix) > 32) return undefined
  const masked = (toBits(address) & maskOf(Number(prefix))) >>> 0
  return `${fromBits(masked)}/${Number(prefix)}`
}

/** Does the first network hold the second? Both canonical. */
export function holds(outer: string, inner: string): boolean {
  const [base = '', prefix = '32'] = outer.split('/')
  const [address = '', length = '32'] = inner.split('/')
  return Number(length) >= Number(prefix) && ((toBits(base) ^ toBits(address)) & maskOf(Number(prefix))) === 0
}

function toBits(address: string): number {
  return address.split('.').reduce((sum, octet) => ((sum << 8) | Number(octet)) >>> 0, 0)
}
function fromBits(bits: number): string {
  return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join('.')
}
/** A shift by 32 is a shift by 0 in JavaScript. */
function maskOf(prefix: number): number {
  return prefix === 0 ? 0 : -1 << (32 - prefix)
}

const whole = (n: number, low: number, high: number) => Number.isInteger(n) && n >= low && n <= high

/** Throws TunnelInvalid, naming what is wrong; never with a private key in it. */
export function checkConfig(config: WireGuardConfig): void {
  checkName(config.name)
  if (!KEY.test(config.privateKey)) throw invalid('the private key', 'not a key')
  if (!canonicalCidr(config.address)) throw invalid('the address', config.address)
  if (!whole(config.listenPort, 1, 65535)) throw invalid('the port', config.listenPort)
  if (!whole(config.mtu, 576, 65535)) throw invalid('the MTU', config.mtu)
  for (const peer of config.peers) {
    if (!KEY.test(peer.publicKey)) throw invalid('the public key of a peer', JSON.stringify(peer.publicKey))
    if (peer.endpoint !== undefined && !parseEndpoint(peer.endpoint))
      throw invalid('an endpoint', JSON.stringify(peer.endpoint))
    if (!whole(peer.persistentKeepalive, 0, 65535)) throw invalid('a keepalive', peer.persistentKeepalive)
    for (const cidr of peer.allowedIPs) if (!canonicalCidr(cidr)) throw invalid('an allowed address', cidr)
  }
  for (const address of config.forward?.authorities ?? [])
    if (!isIPv4(address)) throw invalid('the address of an authority', address)
  if (config.forward && !whole(config.forward.commandPort, 1, 65535))
    throw invalid('the command port', config.forward.commandPort)
}
