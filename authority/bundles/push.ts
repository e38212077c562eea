// One bundle, one connection to the agent's sync port. We only write (law 1): what the agent might send is dropped
// unread, and its own half is closed by it as it accepts.
import { finished } from 'node:stream/promises'
import { lengthFrame } from '../../base/length-frames.ts'
import type { Transport } from '../../base/transport.ts'
import { encodeSyncFrame } from '../../protocol/sync/frame.ts'

export interface PushTarget {
  address: string
  port: number
}

/** Resolves when the bytes are handed to the network and both halves are closed; rejects when they are not. */
export type PushBundle = (to: PushTarget, bundle: Uint8Array, signal: AbortSignal) => Promise<void>

/**
 * `from`: this authority's own mesh address, at the time of the push. `first`: documents of the operator key, in front
 * of the bundle that only a node which has taken them accepts.
 */
export function syncPusher(
  transport: Transport,
  from: () => string,
  first: () => readonly Uint8Array[] = () => [],
): PushBundle {
  return async (to, bundle, signal) => {
    const connection = await transport.connect(from(), to.address, to.port, signal)
    const { stream } = connection
    const abort = () => connection.destroy()
    signal.addEventListener('abort', abort, { once: true })
    try {
      signal.throwIfAborted()
      stream.resume()
      for (const document of first()) stream.write(lengthFrame(encodeSyncFrame({ type: 'operator', document })))
      stream.end(lengthFrame(encodeSyncFrame({ type: 'bundle', bundle })))
      await finished(stream, { cleanup: true })
    } finally {
      signal.removeEventListener('abort', abort)
      connection.destroy()
    }
  }
}
