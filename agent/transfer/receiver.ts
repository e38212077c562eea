// The sync port (section 7.2): pushed bundles from a listed authority, pushed disks from the peer a bundle names.
// Each connection is half-closed as it is accepted and nothing is ever written on it (law 1).
import type { Clock, Timer } from '../../base/clock.ts'
import { frameReader } from '../../base/length-frames.ts'
import type { Connection } from '../../base/transport.ts'
import { decodeSyncFrame, SYNC_FRAME_LIMIT, type SyncFrame } from '../../protocol/sync/frame.ts'
import type { Refusals } from '../receiver/refusals.ts'

/** A pusher that says nothing for this long is gone. */
const IDLE_MS = 30_000

/** What takes the frames of one connection; a rejection ends it. */
export interface TransferSink {
  /** Of one frame, bytes; default: the protocol's. */
  limit?: number
  take(frame: SyncFrame): Promise<void>
  /** The connection ended, for whatever reason, after the frames before were taken. */
  cut(): Promise<void>
}

export interface SyncReceiverOptions {
  clock: Clock
  refusals: Refusals
  /** Who may push what from this address; undefined: nobody. */
  sinkFor(address: string): TransferSink | undefined
}

/** Thrown by a sink: discard, count, close. */
export class TransferRefused extends Error {
  readonly reason: string
  constructor(reason: string) {
    super(reason)
    this.reason = reason
  }
}

/** What to do with each accepted connection. One transfer a source: the newest connection wins. */
export function createSyncReceiver(options: SyncReceiverOptions): {
  accept(connection: Connection): void
  closeAll(): void
} {
  const { clock, refusals } = options
  const open = new Map<string, Connection>()

  const accept = (connection: Connection): void => {
    const { stream, remoteAddress } = connection
    stream.on('error', () => {})
    stream.end()
    const sink = options.sinkFor(remoteAddress)
    if (!sink) {
      refusals.count('SyncSource')
      connection.destroy()
      return
    }
    open.get(remoteAddress)?.destroy()
    open.set(remoteAddress, connection)

    let idle: Timer | undefined
    // Frames are taken one after the other, and nothing is read meanwhile: one unverified chunk a source.
    let tail = Promise.resolve()
    let closed = false
    const close = () => {
      if (!closed) {
        closed = true
        const ended = () => sink.cut().catch(() => refusals.count('TransferNotNoted'))
        tail.then(ended, ended)
      }
      idle?.cancel()
      connection.destroy()
      if (open.get(remoteAddress) === connection) open.delete(remoteAddress)
    }
    const alive = () => {
      idle?.cancel()
      idle = clock.after(IDLE_MS, close)
    }
    const refuse = (error: unknown) => {
      refusals.count(error instanceof TransferRefused ? error.reason : 'SyncMalformed')
      close()
    }
    const take = async (bytes: Uint8Array): Promise<void> => {
      const frame = decodeSyncFrame(bytes)
      if (!frame) throw new TransferRefused(sink.limit === undefined ? 'SyncMalformed' : 'SyncSource')
      await sink.take(frame)
    }
    const reader = frameReader(sink.limit ?? SYNC_FRAME_LIMIT, (bytes) => {
      tail = tail.then(() => take(bytes))
    })
    stream.on('data', (chunk: Uint8Array) => {
      alive()
      try {
        reader.push(chunk)
      } catch {
        // What is too long for a stranger would not be his business anyway.
        refuse(new TransferRefused(sink.limit === undefined ? 'SyncTooLong' : 'SyncSource'))
        return
      }
      stream.pause()
      tail.then(() => stream.resume(), refuse)
    })
    stream.once('end', () => void tail.then(close, close))
    stream.once('close', close)
    alive()
  }

  return {
    accept,
    closeAll: () => {
      for (const connection of [...open.values()]) connection.destroy()
    },
  }
}
