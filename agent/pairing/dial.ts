import type { Clock } from '../../base/clock.ts'
import { dialHost, type HostPort, parseHostPort } from '../../base/dial.ts'
import type { Connection } from '../../base/transport.ts'

const DEFAULT_PORT = 9202

/** host, host:port or [v6]:port. Throws BadPairingAddress. */
export const parsePairingAddress = (address: string): HostPort => parseHostPort(address, DEFAULT_PORT)

/** Connects to the pairing port of an authority, over whatever network this machine has. */
export function dialPairing(address: string, clock: Clock): (signal: AbortSignal) => Promise<Connection> {
  const place = parsePairingAddress(address)
  return (signal) => dialHost(place, clock, signal)
}
