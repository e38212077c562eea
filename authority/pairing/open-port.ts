// Keeps the pairing port open, and says why when it is not.
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import { type PairingServiceOptions, startPairingService } from './service.ts'

/** A port may be held by a process that is just ending. */
const RETRY_MS = 5_000

export interface PairingPort {
  unavailable(): string | undefined
  /** Opens it, now or as soon as it can be had. */
  open(service: PairingServiceOptions, signal: AbortSignal): void
}

export function pairingPort(options: { clock: Clock; log: Logger; changed(): void }): PairingPort {
  const { clock, log } = options
  let why: string | undefined = 'this authority opens no pairing port'
  const tell = (next: string | undefined) => {
    if (next === why) return
    why = next
    options.changed()
  }
  const open = (service: PairingServiceOptions, signal: AbortSignal): void => {
    if (signal.aborted) return
    startPairingService(service, signal).then(
      () => tell(undefined),
      (error: NodeJS.ErrnoException) => {
        // A machine without IPv6 still has an IPv4.
        if (error.code === 'EAFNOSUPPORT' && service.address === '::')
          return open({ ...service, address: '0.0.0.0' }, signal)
        tell(`${service.address} port ${service.port}: ${error.message}`)
        log.warn({ err: error.message, port: service.port }, 'the pairing port cannot be opened, trying again')
        const timer = clock.after(RETRY_MS, () => open(service, signal))
        signal.addEventListener('abort', () => timer.cancel(), { once: true })
      },
    )
  }
  return { unavailable: () => why, open }
}
