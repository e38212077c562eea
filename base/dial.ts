// Dialling a machine by what a person typed, over whatever network this machine has.
import net from 'node:net'
import type { Clock } from './clock.ts'
import { PpnError } from './errors.ts'
import type { Connection } from './transport.ts'

const CONNECT_WITHIN_MS = 10_000

export interface HostPort {
  host: string
  port: number
}

/** host, host:port, [v6]:port, or an IPv6 address alone. Throws BadPairingAddress. */
export function parseHostPort(address: string, defaultPort: number): HostPort {
  const bracketed = /^\[([0-9a-f:.%\w]+)\](?::(\d+))?$/i.exec(address)
  const plain = /^([^:[\]\s]+)(?::(\d+))?$/.exec(address)
  const [, host, port] = bracketed ?? plain ?? (net.isIPv6(address) ? [address, address] : [])
  const number = port === undefined ? defaultPort : Number(port)
  if (!host || number < 1 || number > 65_535) throw new PpnError('BadPairingAddress', { address })
  return { host, port: number }
}

/** Rejects on refusal, after 10 s, or when the signal aborts. */
export function dialHost({ host, port }: HostPort, clock: Clock, signal: AbortSignal): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host, port, noDelay: true, allowHalfOpen: true, signal })
    const timer = clock.after(CONNECT_WITHIN_MS, () =>
      socket.destroy(new PpnError('ConnectTimedOut', { to: host, port, ms: CONNECT_WITHIN_MS })),
    )
    // Also swallows what comes after the connection: its end is what its user acts on.
    socket.on('error', (error) => {
      timer.cancel()
      reject(error)
    })
    socket.once('connect', () => {
      timer.cancel()
      resolve({ stream: socket, remoteAddress: socket.remoteAddress ?? host, destroy: () => void socket.destroy() })
    })
  })
}
