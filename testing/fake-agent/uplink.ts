// The telemetry connection of a fake agent (section 7.3): it dials the listed authorities in turn and only writes.
import type { Clock, Timer } from '../../base/clock.ts'
import { lengthFrame } from '../../base/length-frames.ts'
import { type RandomBytes, randomId } from '../../base/random.ts'
import type { Connection, Transport } from '../../base/transport.ts'
import type { AuthorityId, Term } from '../../protocol/ids.ts'
import { sealFrame } from '../../protocol/telemetry/frame.ts'
import { diffReport } from '../../protocol/telemetry/merge.ts'
import { splitDelta, splitReport } from '../../protocol/telemetry/parts.ts'
import type { NodeReport, NodeReportDelta } from '../../protocol/telemetry/report.ts'

const FULL_EVERY_MS = 10_000
const REDIAL_MS = 500

/** As the applied bundle has it. */
export interface Way {
  from: string
  port: number
  authorities: readonly { id: AuthorityId; address: string }[]
}

export interface Uplink {
  /** Everything, now. */
  full(): void
  /** Something changed: what is different goes out before time moves on. */
  touch(): void
  /** Closes the connection and dials this address first. */
  prefer(address: string): void
  /** Closes the connection; it dials as the bundle now says. */
  redial(): void
  /** The address reported to or being dialled. */
  reportsTo(): string | undefined
}

export function startUplink(
  options: {
    clock: Clock
    random: RandomBytes
    transport: Transport
    /** undefined: nobody is dialled. */
    way(): Way | undefined
    key(authority: AuthorityId, term: Term): Uint8Array
    term(): Term
    report(): NodeReport
    /** While it is true nothing is written. */
    silent(): boolean
  },
  signal: AbortSignal,
): Uplink {
  const { clock, random, transport } = options
  const bootId = randomId(random)
  const startedMs = clock.monotonic()
  let sequence = 0
  let live: { connection: Connection; authority: AuthorityId; address: string; sent?: NodeReport } | undefined
  let dialling: { address?: string; stop: AbortController } | undefined
  let preferred: string | undefined
  let timer: Timer | undefined
  let touched = false

  const write = (type: 'full' | 'delta', bodies: readonly NodeReportDelta[]): void => {
    if (!live) return
    const term = options.term()
    const key = options.key(live.authority, term)
    for (const [at, body] of bodies.entries()) {
      const header = { bootId, sequence: ++sequence, uptimeMs: Math.round(clock.monotonic() - startedMs) }
      const numbering = type === 'full' ? { part: at + 1, parts: bodies.length } : { part: 1, parts: 1 }
      live.connection.stream.write(lengthFrame(sealFrame({ term, header, type, ...numbering, body }, key)))
    }
  }
  const full = (): void => {
    if (!live || options.silent()) return
    live.sent = options.report()
    write('full', splitReport(live.sent))
  }
  const delta = (): void => {
    touched = false
    if (!live || options.silent() || signal.aborted) return
    const before = live.sent
    live.sent = options.report()
    // Nothing before: it was silent from the first moment of this connection.
    const changed = before && diffReport(before, live.sent)
    if (!before) write('full', splitReport(live.sent))
    else if (changed) write('delta', splitDelta(changed))
  }
  const beat = (): void => {
    full()
    timer = clock.after(FULL_EVERY_MS, beat)
  }

  const dial = async (): Promise<void> => {
    const way = options.way()
    if (!way || live || dialling || signal.aborted) return
    const turn = { stop: new AbortController(), address: undefined as string | undefined }
    dialling = turn
    const over = AbortSignal.any([signal, turn.stop.signal])
    const inTurn = [...way.authorities].sort(
      (a, b) => Number(b.address === preferred) - Number(a.address === preferred),
    )
    for (const { id, address } of inTurn) {
      if (over.aborted) break
      turn.address = address
      const connection = await transport.connect(way.from, address, way.port, over).catch(() => undefined)
      if (connection && over.aborted) connection.destroy()
      else if (connection) {
        dialling = undefined
        return serve(connection, id, address)
      }
    }
    dialling = undefined
    if (turn.stop.signal.aborted) return dial()
    if (!signal.aborted) clock.after(REDIAL_MS, () => void dial())
  }
  const serve = (connection: Connection, authority: AuthorityId, address: string): void => {
    live = { connection, authority, address }
    preferred = address
    connection.stream.on('error', () => {})
    // Nothing is read (law 1); resuming only lets the other side's end be seen.
    connection.stream.resume()
    connection.stream.once('close', () => {
      if (live?.connection !== connection) return
      live = undefined
      timer?.cancel()
      if (!signal.aborted) clock.after(REDIAL_MS, () => void dial())
    })
    beat()
  }
  const redial = (): void => {
    const { connection } = live ?? {}
    live = undefined
    timer?.cancel()
    connection?.destroy()
    dialling?.stop.abort()
    void dial()
  }
  signal.addEventListener(
    'abort',
    () => {
      timer?.cancel()
      live?.connection.destroy()
      live = undefined
    },
    { once: true },
  )
  void dial()

  return {
    full,
    touch() {
      if (touched) return
      touched = true
      queueMicrotask(delta)
    },
    prefer(address) {
      preferred = address
      redial()
    },
    redial,
    reportsTo: () => live?.address ?? dialling?.address,
  }
}
