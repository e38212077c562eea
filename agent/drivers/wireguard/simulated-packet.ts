// The datagrams between simulated WireGuard interfaces. They model who can reach whom, not the cryptography, which is
// the kernel's business and not ours. ASCII: kind, sender's public key, recipient's public key, stamp.

/**
 * - `init`, `resp`: the handshake. A `resp` returns the stamp of the `init` it answers.
 * - `data`: a keepalive, standing for all traffic; `ack` for the traffic that comes back.
 * - `gone`: stands for the silence that meets traffic to somebody who has removed this peer. Real WireGuard notices
 *   that in 15 s, and nothing gets through meanwhile; here traffic does not run through the tunnel, so it is said.
 */
export type PacketKind = 'init' | 'resp' | 'data' | 'ack' | 'gone'

export interface Packet {
  kind: PacketKind
  /** base64 */
  from: string
  /** base64 */
  to: string
  stamp: number
}

export function encodePacket({ kind, from, to, stamp }: Packet): Uint8Array {
  return Buffer.from(`${kind} ${from} ${to} ${stamp}`)
}

const PACKET = /^(init|resp|data|ack|gone) ([\w+/]{43}=) ([\w+/]{43}=) (\d{1,15})$/

/** undefined: not one of ours. */
export function decodePacket(bytes: Uint8Array): Packet | undefined {
  const m = PACKET.exec(Buffer.from(bytes).toString('latin1'))
  if (!m) return undefined
  const [, kind, from = '', to = '', stamp] = m
  return { kind: kind as PacketKind, from, to, stamp: Number(stamp) }
}
