// How machines come in: the port they call, the calls we make (a claim), and the beacon that says where we are.
import { dialHost, parseHostPort } from '../../base/dial.ts'
import type { Ceremonies } from '../../controllers/ports/ceremonies.ts'
import type { RecordStore } from '../../controllers/ports/store.ts'
import { fingerprint } from '../../protocol/keys.ts'
import { sendBeacons } from '../beacon/beacon.ts'
import { broadcast, footholds } from '../beacon/ground.ts'
import type { Brake } from '../brake.ts'
import type { Publisher } from '../bundles/publisher.ts'
import { callingDesk } from '../claim/caller.ts'
import type { Metrics } from '../metrics.ts'
import { createDesk } from '../pairing/desk.ts'
import { awaitFirstBundle } from '../pairing/first-bundle.ts'
import { pairingPort } from '../pairing/open-port.ts'
import type { AuthorityOptions } from './options.ts'

export interface JoiningOptions
  extends Pick<AuthorityOptions, 'clock' | 'random' | 'log' | 'pairing' | 'dialClaim' | 'beacon'> {
  records: RecordStore
  brake: Pick<Brake, 'guard'>
  publisher: Pick<Publisher, 'firstBundle'>
  signingPublicKey: Uint8Array
  metrics: Metrics
  /** Of the mesh in force. */
  ports(): { pairing: number; holding: number }
  /** Whether machines can call has changed. */
  changed(): void
}

export interface Joining {
  ceremonies: Ceremonies
  /** Opens the port and begins to say so, where that is wanted. Once the store is in. */
  open(signal: AbortSignal): void
}

export function joining(options: JoiningOptions, signal: AbortSignal): Joining {
  const { clock, random, log, records, brake, publisher, signingPublicKey, metrics, ports } = options
  const port = pairingPort({ clock, log, changed: options.changed })
  const desk = createDesk({ clock, log, records, unavailable: port.unavailable })
  const firstBundle = (node: string, until: AbortSignal) =>
    awaitFirstBundle({ clock, log, firstBundle: publisher.firstBundle }, node, until)
  const authorityFingerprint = fingerprint(signingPublicKey)
  const dialClaim = (address: string, until: AbortSignal) =>
    dialHost(parseHostPort(address, ports().holding), clock, until)
  const guard = () => brake.guard()
  const shared = { clock, random, log, desk, authorityFingerprint, firstBundle }
  const ceremonies = callingDesk({ ...shared, signingPublicKey, guard, dial: options.dialClaim ?? dialClaim }, signal)
  return {
    ceremonies,
    open(until) {
      if (options.pairing) port.open({ ...shared, ...options.pairing, port: ports().pairing, metrics }, until)
      if (!options.beacon || options.beacon.length === 0) return
      void sendBeacons(
        {
          ...{ clock, log, footholds, broadcast, signingPublicKey, guard },
          interfaces: options.beacon,
          pairingPort: () => (port.unavailable() ? undefined : ports().pairing),
        },
        until,
      )
    },
  }
}
