import { peerFor } from '../../base/cryptokey-routing.ts'
import type { WireGuardState } from '../drivers/wireguard/port.ts'

/** Does the peer that carries `address` take what is sent and answer nothing? Pure. */
export function isUnanswered(
  seen: { tunnel: WireGuardState | undefined; unanswered: ReadonlySet<string> },
  address: string | undefined,
): boolean {
  const carrier = address === undefined ? undefined : peerFor(seen.tunnel?.peers ?? [], address)
  return carrier !== undefined && seen.unanswered.has(carrier.publicKey)
}
