import type { Duplex } from 'node:stream'

/** One accepted or dialled stream. `stream` is half-open capable: ending one direction leaves the other. */
export interface Connection {
  stream: Duplex
  /** The peer's mesh address. */
  remoteAddress: string
  /** Closes both directions at once. */
  destroy(): void
}

export interface UdpSocket {
  /** Queues one datagram; rejects when the kernel refuses it (ENOBUFS and the like). */
  send(bytes: Uint8Array, address: string, port: number): Promise<void>
  close(): void
}

export interface Listener {
  close(): Promise<void>
}

/**
 * The network as ppn sees it: everything is addressed by mesh address. `hostTransport` uses the addresses as they
 * are (over WireGuard), `loopbackTransport` maps a.b.c.d to 127.b.c.d on this machine, testing has one in memory.
 */
export interface Transport {
  bindUdp(address: string, port: number, onPacket: (bytes: Uint8Array, from: string) => void): Promise<UdpSocket>
  listen(address: string, port: number, onConnection: (connection: Connection) => void): Promise<Listener>
  /** Dials from `from` (a mesh address of this machine). Rejects on refusal, time-out of 10 s or abort. */
  connect(from: string, to: string, port: number, signal: AbortSignal): Promise<Connection>
}
