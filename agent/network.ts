// The node's sockets in the mesh: commands and pushes come in here, at the address the bundle in force gives it.
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Connection, Listener, Transport, UdpSocket } from '../base/transport.ts'
import { serialQueue } from './timing/serial.ts'

const RETRY_MS = 1_000

export interface Place {
  address: string
  commandPort: number
  syncPort: number
}

export interface Network {
  /** Closes what is elsewhere and opens what is missing; resolves when open, or when it has to be tried again. */
  use(place: Place | undefined): Promise<void>
}

export function createNetwork(
  options: {
    transport: Transport
    clock: Clock
    log: Logger
    onPacket(bytes: Uint8Array, from: string): void
    onConnection(connection: Connection): void
  },
  signal: AbortSignal,
): Network {
  const { transport, clock, log } = options
  const inTurn = serialQueue()
  let wanted: Place | undefined
  let open: { place: Place; udp: UdpSocket; listener: Listener } | undefined

  const close = async (): Promise<void> => {
    const closing = open
    open = undefined
    closing?.udp.close()
    await closing?.listener.close()
  }
  const settle = async (): Promise<void> => {
    const place = signal.aborted ? undefined : wanted
    if (open && JSON.stringify(open.place) === JSON.stringify(place)) return
    await close()
    if (!place) return
    const udp = await transport.bindUdp(place.address, place.commandPort, options.onPacket)
    try {
      const listener = await transport.listen(place.address, place.syncPort, options.onConnection)
      open = { place, udp, listener }
    } catch (error) {
      udp.close()
      throw error
    }
  }
  const attempt = (): Promise<void> =>
    inTurn(settle).catch((error) => {
      log.warn({ err: String(error), address: wanted?.address }, 'the node cannot listen: trying again')
      if (!signal.aborted) clock.after(RETRY_MS, () => void attempt())
    })
  return {
    use(place) {
      wanted = place
      return attempt()
    },
  }
}
