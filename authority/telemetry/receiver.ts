// Telemetry connections, down to frames whose tag holds. Law 1: nothing is ever written to one; our direction is
// closed as it is accepted.
import type { Clock } from '../../base/clock.ts'
import { PpnError } from '../../base/errors.ts'
import { frameReader } from '../../base/length-frames.ts'
import type { Logger } from '../../base/log.ts'
import type { Connection, Transport } from '../../base/transport.ts'
import {
  FRAME_LIMIT,
  type FrameVersions,
  openFrame,
  readFrameHead,
  TELEMETRY_VERSIONS,
  type TelemetryFrame,
} from '../../protocol/telemetry/frame.ts'
import { type Metrics, noMetrics } from '../metrics.ts'
import type { Roster, RosterEntry } from '../roster.ts'
import type { NodeKeyRing } from '../term/node-keys.ts'

/** A connection without a valid frame is closed after this long. */
const FIRST_FRAME_MS = 30_000
/** Connections of one node; with one more, the oldest goes. */
const CONNECTIONS_PER_NODE = 4

export interface TelemetryConnection {
  readonly entry: RosterEntry
  close(): void
}

export interface ReceiverOptions {
  transport: Transport
  clock: Clock
  log: Logger
  roster: Roster
  keys: NodeKeyRing
  metrics?: Metrics
  /** The authority's own mesh address. */
  address: string
  port: number
  /** Versions read: the current one and the two before. */
  versions?: FrameVersions
  /** Under which of the node's command keys a frame with a valid tag came. */
  heardUnder?(node: string, commandPublicKey: string): void
  /** A frame with a valid tag. */
  onFrame(connection: TelemetryConnection, frame: TelemetryFrame): void
  /** A frame of which something was lost after the tag: what follows it does not build on what came before. */
  onGap(connection: TelemetryConnection): void
}

interface Held extends TelemetryConnection {
  proven: boolean
}

/**
 * Listens until the signal aborts. A connection that hangs is left alone: what it held up may still come, and since
 * our direction is closed, an agent would learn of our closing only at its second frame after.
 */
export async function startReceiver(options: ReceiverOptions, signal: AbortSignal): Promise<void> {
  const { clock, log, roster, keys, metrics = noMetrics, versions = TELEMETRY_VERSIONS } = options
  const open = new Map<string, Held[]>()
  let count = 0

  const discard = (reason: string): void => metrics.count('ppn_telemetry_discarded_total', reason)
  const of = (node: string): Held[] => open.get(node) ?? []

  const accept = (connection: Connection): void => {
    connection.stream.end()
    connection.stream.on('error', () => {})
    const entry = roster.byAddress(connection.remoteAddress)
    if (!entry || signal.aborted) {
      if (!entry) discard('UnknownSource')
      connection.destroy()
      return
    }
    const [oldest] = of(entry.node)
    if (oldest && of(entry.node).length >= CONNECTIONS_PER_NODE) {
      discard('TooManyConnections')
      oldest.close()
    }
    read(connection, entry)
  }

  const read = (connection: Connection, entry: RosterEntry): void => {
    let closed = false
    const held: Held = {
      entry,
      proven: false,
      close() {
        if (closed) return
        closed = true
        silent.cancel()
        const rest = of(entry.node).filter((other) => other !== held)
        if (rest.length > 0) open.set(entry.node, rest)
        else open.delete(entry.node)
        metrics.gauge('ppn_telemetry_connections', --count)
        connection.destroy()
      },
    }
    const silent = clock.after(FIRST_FRAME_MS, () => held.close())
    open.set(entry.node, [...of(entry.node), held])
    metrics.gauge('ppn_telemetry_connections', ++count)

    const frames = frameReader(FRAME_LIMIT, (bytes) => {
      if (!closed) take(held, bytes)
    })
    connection.stream.on('data', (chunk: Uint8Array) => {
      try {
        frames.push(chunk)
      } catch (error) {
        const tooLong = error instanceof PpnError && error.code === 'FrameTooLong'
        // Anything else is a fault on our side; it costs this connection, and no other.
        if (!tooLong) log.error({ node: entry.node, error: String(error) }, 'a telemetry frame could not be taken')
        discard(tooLong ? 'FrameTooLong' : 'OwnFault')
        held.close()
      }
    })
    connection.stream.on('end', () => held.close())
    connection.stream.on('close', () => held.close())
    const prove = (): void => {
      silent.cancel()
      held.proven = true
      // The newest connection with a valid frame wins: those accepted before it are over.
      const connections = of(entry.node)
      for (const older of connections.slice(0, connections.indexOf(held))) older.close()
    }
    const take = (from: Held, bytes: Uint8Array): void => {
      const head = readFrameHead(bytes)
      if (!head) return void refuse(from, 'BadFrame')
      if (!versions.has(head.version)) return void refuse(from, 'UnknownVersion')
      let opened = openFrame(bytes, keys.of(entry, head.term).telemetry, versions)
      let under = entry.commandPublicKey
      if (!opened.ok && opened.reason !== 'FrameMalformed' && entry.otherCommandKey !== undefined) {
        under = entry.otherCommandKey
        opened = openFrame(bytes, keys.of({ ...entry, commandPublicKey: under }, head.term).telemetry, versions)
      }
      if (!opened.ok && opened.reason !== 'FrameMalformed') return void refuse(from, 'BadTag')
      options.heardUnder?.(entry.node, under)
      if (!from.proven) prove()
      if (opened.ok) return void options.onFrame(from, opened.frame)
      discard('BadFrame')
      options.onGap(from)
    }
    const refuse = (from: Held, reason: string): void => {
      discard(reason)
      from.close()
    }
  }

  const dropNode = (node: string): void => {
    for (const held of of(node)) held.close()
  }
  // A node that was retired, moved or enrolled anew is another one.
  const unsubscribe = roster.subscribe(dropNode)
  const listener = await options.transport.listen(options.address, options.port, accept)
  signal.addEventListener(
    'abort',
    () => {
      unsubscribe()
      for (const node of [...open.keys()]) dropNode(node)
      void listener.close()
    },
    { once: true },
  )
}
