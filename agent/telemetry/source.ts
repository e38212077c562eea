// The node's one way up (section 7.3): dials the listed authorities in turn and only ever writes. The authority
// half-closes the connection as it accepts it, and nothing here reads from it (law 1).
import type { Clock } from '../../base/clock.ts'
import { lengthFrame } from '../../base/length-frames.ts'
import type { Logger } from '../../base/log.ts'
import type { RandomBytes } from '../../base/random.ts'
import type { Connection, Transport } from '../../base/transport.ts'
import type { AuthorityId, Term } from '../../protocol/ids.ts'
import { type FrameVersions, sealFrame } from '../../protocol/telemetry/frame.ts'
import { diffReport } from '../../protocol/telemetry/merge.ts'
import { splitDelta, splitReport } from '../../protocol/telemetry/parts.ts'
import type { NodeReport, NodeReportDelta } from '../../protocol/telemetry/report.ts'
import { randomInt } from '../timing/jitter.ts'
import { atRest } from './moving.ts'

export const FULL_EVERY_MS = 10_000
/** Changes within this time travel as one delta. */
export const COALESCE_MS = 50
const BACKOFF_FIRST_MS = 200
const BACKOFF_CAP_MS = 5_000
/** An authority that takes nothing for so many bytes is given up: another may be listening. */
const UNSENT_LIMIT_BYTES = 4 * 1024 * 1024

export interface TelemetryAuthority {
  id: AuthorityId
  address: string
}

export interface TelemetryWay {
  /** The node's own mesh address: frames are accepted from it alone. */
  from: string
  port: number
  /** In bundle order. */
  authorities: readonly TelemetryAuthority[]
  key(authority: AuthorityId, term: Term): Uint8Array | undefined
}

export interface TelemetryOptions {
  transport: Transport
  clock: Clock
  random: RandomBytes
  log: Logger
  bootId: string
  term(): Term
  /** What is so now. */
  report(): NodeReport
  /** The tables, and which version to write; the built-in newest when absent. */
  versions?: FrameVersions
  version?(): number
}

export interface TelemetrySource {
  /** Whom to report to; undefined: nobody. `redial` closes the connection first. */
  use(way: TelemetryWay | undefined, options?: { redial?: boolean }): void
  /** Something changed: a delta goes out within `delayMs`, unless only moving figures did. */
  touch(delayMs?: number): void
  /** PING: everything, now. */
  full(): void
  /** Closes the connection and dials this address first. */
  prefer(address: string): void
  /** Closes the connection and dials anew. */
  redial(why: string): void
  /** The address reported to, while connected. */
  connectedTo(): string | undefined
  /** The address reported to or being dialled. */
  reportsTo(): string | undefined
  /** Connections made so far: a commit needs a new one. */
  connections(): number
}

export function createTelemetrySource(options: TelemetryOptions, signal: AbortSignal): TelemetrySource {
  const { transport, clock, random, log, bootId } = options
  const startedMs = clock.monotonic()
  let way: TelemetryWay | undefined
  let sequence = 0
  let connections = 0
  let live: { connection: Connection; authority: TelemetryAuthority; sent: NodeReport | undefined } | undefined
  let preferred: string | undefined
  let dialling: string | undefined
  /** Ends the present dial, connection or wait, so that the loop looks at `way` anew. */
  let turn = new AbortController()
  let touchDueMs = Number.POSITIVE_INFINITY
  let touchTimer: { cancel(): void } | undefined

  const sealAs = () => ({ versions: options.versions, version: options.version?.() })
  const send = (type: 'full' | 'delta', bodies: readonly NodeReportDelta[]): void => {
    const key = live && way?.key(live.authority.id, options.term())
    if (!live || !key) return
    const { stream } = live.connection
    for (const [at, body] of bodies.entries()) {
      const header = { bootId, sequence: ++sequence, uptimeMs: Math.round(clock.monotonic() - startedMs) }
      // Every delta is whole in itself; a snapshot is not.
      const numbering = type === 'full' ? { part: at + 1, parts: bodies.length } : { part: 1, parts: 1 }
      stream.write(lengthFrame(sealFrame({ term: options.term(), header, type, ...numbering, body }, key, sealAs())))
    }
    if (stream.writableLength > UNSENT_LIMIT_BYTES) drop('the authority takes no frames')
  }
  const sendFull = (): void => {
    if (!live) return
    live.sent = options.report()
    send('full', splitReport(live.sent))
  }
  const sendDelta = (): void => {
    if (!live?.sent) return
    const now = options.report()
    if (diffReport(atRest(live.sent), atRest(now)) === undefined) return
    const delta = diffReport(live.sent, now)
    live.sent = now
    if (delta) send('delta', splitDelta(delta))
  }
  const drop = (why: string): void => {
    if (live) log.debug({ authority: live.authority.address, why }, 'telemetry connection closed')
    turn.abort(new Error(why))
  }

  /** Serves one connection until it breaks or its turn is over. */
  const serve = async (connection: Connection, authority: TelemetryAuthority, over: AbortSignal): Promise<void> => {
    const broken = new Promise<void>((resolve) => {
      connection.stream.once('close', resolve)
      connection.stream.once('error', () => resolve())
      over.addEventListener('abort', () => resolve(), { once: true })
    })
    live = { connection, authority, sent: undefined }
    connections++
    log.debug({ authority: authority.address }, 'telemetry connected')
    let timer = clock.after(0, () => {})
    const beat = () => {
      sendFull()
      timer = clock.after(FULL_EVERY_MS, beat)
    }
    beat()
    await broken
    timer.cancel()
    live = undefined
    connection.destroy()
  }

  const inTurn = (authorities: readonly TelemetryAuthority[]): TelemetryAuthority[] => {
    const first = authorities.filter((a) => a.address === preferred)
    return [...first, ...authorities.filter((a) => a.address !== preferred)]
  }

  const run = async (): Promise<void> => {
    let failures = 0
    while (!signal.aborted) {
      turn = new AbortController()
      const over = AbortSignal.any([signal, turn.signal])
      for (const authority of way ? inTurn(way.authorities) : []) {
        if (over.aborted || !way) break
        try {
          dialling = authority.address
          const connection = await transport.connect(way.from, authority.address, way.port, over)
          connection.stream.on('error', () => {})
          if (over.aborted) connection.destroy()
          else {
            preferred = authority.address
            failures = 0
            await serve(connection, authority, over)
          }
        } catch {
          failures++
        } finally {
          dialling = undefined
        }
      }
      if (over.aborted) continue
      const cap = Math.min(BACKOFF_CAP_MS, BACKOFF_FIRST_MS * 2 ** Math.min(failures, 10))
      const wait = way ? cap / 2 + randomInt(random, cap / 2) : BACKOFF_CAP_MS
      await clock.sleep(wait, over).catch(() => {})
    }
  }
  void run()

  return {
    use(next, { redial = false } = {}) {
      const needed = redial || !next || !way || next.from !== way.from || next.port !== way.port
      const gone = live && !next?.authorities.some((a) => a.address === live?.authority.address)
      way = next
      if (needed || gone || !live) drop('the way to the authority changed')
    },
    touch(delayMs = COALESCE_MS) {
      const due = clock.monotonic() + delayMs
      if (due >= touchDueMs) return
      touchTimer?.cancel()
      touchDueMs = due
      touchTimer = clock.after(delayMs, () => {
        touchDueMs = Number.POSITIVE_INFINITY
        if (!signal.aborted) sendDelta()
      })
    },
    full: sendFull,
    prefer(address) {
      preferred = address
      drop('another address speaks for the authority')
    },
    redial: drop,
    connectedTo: () => live?.authority.address,
    reportsTo: () => live?.authority.address ?? dialling,
    connections: () => connections,
  }
}
