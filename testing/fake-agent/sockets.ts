// Where a fake agent can be reached: the command port and the sync port at the address its bundle gives it.
import type { Clock } from '../../base/clock.ts'
import { frameReader } from '../../base/length-frames.ts'
import type { Connection, Transport } from '../../base/transport.ts'
import { decodeSyncFrame, SYNC_FRAME_LIMIT, type SyncFrame } from '../../protocol/sync/frame.ts'

const RETRY_MS = 1_000

export interface Place {
  address: string
  commandPort: number
  syncPort: number
}

export interface Sockets {
  /** Closes what is elsewhere and opens what is missing. An address that is taken is tried again every second. */
  use(place: Place | undefined): Promise<void>
}

export function openSockets(
  options: {
    clock: Clock
    transport: Transport
    onPacket(bytes: Uint8Array, from: string): void
    /** May it push? */
    admits(address: string): boolean
    onFrame(frame: SyncFrame): void
    refuse(reason: string): void
  },
  signal: AbortSignal,
): Sockets {
  const { clock, transport } = options
  const pushers = new Set<Connection>()
  let wanted: Place | undefined
  let open: { place: Place; close(): Promise<void> } | undefined
  let tail = Promise.resolve()

  /** Half-closed as it is accepted, and nothing is ever written on it (law 1). */
  const accept = (connection: Connection): void => {
    const { stream } = connection
    stream.on('error', () => {})
    stream.end()
    const refuse = (reason: string): void => {
      options.refuse(reason)
      connection.destroy()
    }
    if (!options.admits(connection.remoteAddress)) {
      refuse('SyncSource')
      return
    }
    pushers.add(connection)
    stream.once('close', () => pushers.delete(connection))
    const reader = frameReader(SYNC_FRAME_LIMIT, (bytes) => {
      const frame = decodeSyncFrame(bytes)
      if (frame) options.onFrame(frame)
      else refuse('SyncMalformed')
    })
    stream.on('data', (chunk: Uint8Array) => {
      try {
        reader.push(chunk)
      } catch {
        refuse('SyncTooLong')
      }
    })
    stream.once('end', () => connection.destroy())
  }
  const settle = async (): Promise<void> => {
    const place = signal.aborted ? undefined : wanted
    if (JSON.stringify(open?.place) === JSON.stringify(place)) return
    await open?.close()
    open = undefined
    if (!place) return
    const udp = await transport.bindUdp(place.address, place.commandPort, options.onPacket)
    try {
      const listener = await transport.listen(place.address, place.syncPort, accept)
      open = {
        place,
        async close() {
          udp.close()
          for (const pusher of pushers) pusher.destroy()
          await listener.close()
        },
      }
    } catch (error) {
      udp.close()
      throw error
    }
  }
  const attempt = (): Promise<void> => {
    tail = tail.then(settle).catch(() => {
      clock.after(RETRY_MS, () => void attempt())
    })
    return tail
  }
  signal.addEventListener('abort', () => void attempt(), { once: true })
  return {
    use(place) {
      wanted = place
      return attempt()
    },
  }
}
