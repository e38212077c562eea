// Tells nodes what the operator key has said, until telemetry shows that they obey: a node that does not know this
// authority can be told nothing else. One-way like every push (law 1), behind the brake (law 12).
import { finished } from 'node:stream/promises'
import type { Clock } from '../../base/clock.ts'
import { lengthFrame } from '../../base/length-frames.ts'
import type { Logger } from '../../base/log.ts'
import type { Transport } from '../../base/transport.ts'
import { encodeSyncFrame } from '../../protocol/sync/frame.ts'

/** Between two tries at one node; the last repeats. */
const AGAIN_MS: readonly number[] = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 60_000, 300_000]
/** Who obeys already is heard by then, and told nothing. */
const FIRST_MS = 3_000
const TIMEOUT_MS = 10_000
const BRAKE_LOOK_MS = 1_000

export interface TellOptions {
  clock: Clock
  log: Logger
  transport: Transport
  /** This authority's own mesh address. */
  from: string
  syncPort(): number
  documents: readonly Uint8Array[]
  nodes(): readonly { node: string; address: string }[]
  /** It speaks to us under our own keys. */
  obeys(node: string): boolean
  /** Asks the brake; false stops. */
  guard(): Promise<boolean>
  onTold(node: string): void
}

/** Until `signal` aborts. A node that falls silent is told again: it may have been put back to an older state. */
export function tellNodes(options: TellOptions, signal: AbortSignal): void {
  const { clock, log, documents } = options
  if (documents.length === 0) return
  const tries = new Map<string, { count: number; nextMs: number; busy: boolean }>()

  const tell = async (to: string): Promise<void> => {
    const late = new AbortController()
    const timer = clock.after(TIMEOUT_MS, () => late.abort(new Error('timed out')))
    const either = AbortSignal.any([signal, late.signal])
    try {
      const { stream, destroy } = await options.transport.connect(options.from, to, options.syncPort(), either)
      either.addEventListener('abort', destroy, { once: true })
      stream.resume()
      for (const document of documents) stream.write(lengthFrame(encodeSyncFrame({ type: 'operator', document })))
      stream.end()
      await finished(stream, { cleanup: true }).finally(destroy)
    } finally {
      timer.cancel()
    }
  }

  const look = async (): Promise<void> => {
    const open = await options.guard().catch(() => false)
    const nowMs = clock.monotonic()
    for (const { node, address } of open && !signal.aborted ? options.nodes() : []) {
      const known = tries.get(node) ?? { count: 0, nextMs: 0, busy: false }
      if (options.obeys(node)) tries.delete(node)
      else if (!known.busy && nowMs >= known.nextMs) {
        const afterMs = AGAIN_MS[Math.min(known.count, AGAIN_MS.length - 1)] as number
        const next = { count: known.count + 1, nextMs: nowMs + afterMs, busy: true }
        tries.set(node, next)
        tell(address)
          .then(
            () => options.onTold(node),
            (error) => log.debug({ node, error: String(error) }, 'a document of the operator key was not pushed'),
          )
          .finally(() => {
            next.busy = false
          })
      }
    }
    if (!signal.aborted) timer = clock.after(BRAKE_LOOK_MS, () => void look())
  }
  let timer = clock.after(FIRST_MS, () => void look())
  signal.addEventListener('abort', () => timer.cancel(), { once: true })
}
