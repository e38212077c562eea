import net from 'node:net'
import type { Clock } from '../../base/clock.ts'
import { PpnError } from '../../base/errors.ts'
import type { Connection } from '../../base/transport.ts'

const DEFAULT_PORT = 9202
const CONNECT_WITHIN_MS = 10_000

/** host, host:port or [v6]:port. Throws BadPairingAddress. */
export function parsePairingAddress(address: string): { host: string; port: number } {
  const bracketed = /^\[([0-9a-f:.%\w]+)\](?::(\d+))?$/i.exec(address)
  const plain = /^([^:[\]\s]+)(?::(\d+))?$/.exec(address)
  const [, host, port] = bracketed ?? plain ?? (net.isIPv6(address) ? [address, address] : [])
  const number = port === undefined ? DEFAULT_PORT : Number(port)
  if (!host || number < 1 || number > 65_535) throw new PpnError('BadPairingAddress', { address })
  return { host, port: number }
}

/** Connects to the pairing port of an authority, over whatever network this machine has. */
export function dialPairing(address: string, clock: Clock): (signal: AbortSignal) => Promise<Connection> {
  const { host, port } = parsePairingAddress(address)
  return (signal) =>
    new Promise((resolve, reject) => {
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
