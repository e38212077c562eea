// What the fleet is really doing, as far as its telemetry shows it (section 7.3, law 2): the one source of
// conditions and liveness. Which frames count is decided here: those of the current term that show the mark of a PING
// of this process. What is then known of each node is kept in heard.ts.
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import type { Transport } from '../../base/transport.ts'
import type { Fleet } from '../../controllers/ports/fleet.ts'
import { OP } from '../../protocol/command/ops.ts'
import type { MeshId, Sequence } from '../../protocol/ids.ts'
import type { FrameVersions, TelemetryFrame } from '../../protocol/telemetry/frame.ts'
import type { NodeReport } from '../../protocol/telemetry/report.ts'
import type { Brake } from '../brake.ts'
import { type Metrics, noMetrics } from '../metrics.ts'
import type { Roster, RosterEntry } from '../roster.ts'
import type { NodeKeyRing } from '../term/node-keys.ts'
import type { Reign } from '../term/reign.ts'
import { claimsOf } from '../term/restore.ts'
import { heardNodes } from './heard.ts'
import { type OnReceiptNeed, onReceiptNeeds } from './needs.ts'
import { accepted, seen } from './order.ts'
import { startReceiver, type TelemetryConnection } from './receiver.ts'
import { releaseCheck } from './releases.ts'
import { connectionTalks } from './talks.ts'

/** Terms that an agent tries beyond its own. */
const TERM_REACH = 16
/** The PINGs of this process; served by the command sender. */
interface Pings {
  /** A PING under a fresh sequence to this node, repeated until `settle`. */
  draw(node: string): void
  settle(node: string): void
  /** First and last PING sent to the node under the current term. */
  sent(node: string): { first: Sequence; last: Sequence } | undefined
}

export interface TelemetrySinkOptions {
  transport: Transport
  clock: Clock
  log: Logger
  brake: Brake
  roster: Roster
  keys: NodeKeyRing
  meshId: MeshId
  reign: Reign
  pings: Pings
  metrics?: Metrics
  address: string
  /** TCP port that agents dial. */
  port: number
  versions?: FrameVersions
  /** Nothing but an onReceipt bundle can help this node; told once the authority may speak, and again while it lasts. */
  needsOnReceipt(node: string, why: OnReceiptNeed): void
  /** Under which of a node's command keys it was heard. */
  heardUnder?(node: string, commandPublicKey: string): void
}

/** Listens until the signal aborts. Counts and drops whatever does not belong; never throws for what comes in. */
export async function startTelemetrySink(options: TelemetrySinkOptions, signal: AbortSignal): Promise<Fleet> {
  const { clock, log, brake, roster, reign, pings, metrics = noMetrics } = options
  const nodes = heardNodes({ clock, log, brake, roster, reign, metrics, onSilence: (node) => pings.draw(node) })
  const verified = releaseCheck(options.meshId, () => discard('ForgedRelease'))
  const discard = (reason: string): void => metrics.count('ppn_telemetry_discarded_total', reason)
  const talks = connectionTalks(discard)

  const needs = onReceiptNeeds(options)
  /** Losses are told by agents that obey no command, hence in frames that show no mark of ours. */
  const needsOf = (node: string, frame: TelemetryFrame): void => {
    if (reign.term() - frame.term > TERM_REACH) needs.tell(node, 'TermBehind')
    if (frame.body.marksLost) needs.tell(node, 'MarksLost')
    if (frame.body.bundleLost) needs.tell(node, 'BundleLost')
  }

  /** No news of the node yet: what its term and boot id call for. */
  const noted = ({ node }: RosterEntry, frame: TelemetryFrame): void => {
    metrics.count('ppn_telemetry_frames_total', 'TermOnly')
    if (reign.silence(node) === undefined && reign.term() - frame.term <= TERM_REACH) pings.draw(node)
    nodes.noted(node, frame)
  }

  const believed = ({ node }: RosterEntry, frame: TelemetryFrame, report: NodeReport): void => {
    metrics.count('ppn_telemetry_frames_total', 'Fresh')
    reign.settled(node)
    pings.settle(node)
    nodes.believed(node, frame, report)
  }

  const onFrame = (connection: TelemetryConnection, frame: TelemetryFrame): void => {
    const { entry } = connection
    const state = nodes.of(entry.node)
    const nowMs = clock.monotonic()
    if (state.bucket.take(nowMs, 1) === 0) {
      discard('RateLimited')
      talks.lose(connection)
      return
    }
    const { last: lastPing } = pings.sent(entry.node) ?? {}
    const ours = frame.term === reign.term()
    if (ours) {
      const order = seen(state.order, frame.header, lastPing, nowMs)
      if (!order.ok) return void discard(order.fault)
      state.order = order.state
      if (order.unproven) discard(order.unproven)
    }
    const report = talks.reportAfter(connection, frame)
    const mayCount = reign.heard(entry, frame.term, report && claimsOf(frame.term, report))
    needsOf(entry.node, frame)
    const order =
      mayCount && ours && report
        ? accepted(state.order, frame.header.bootId, pingOf(entry.node, report), nowMs)
        : undefined
    if (!order || !report) {
      // A part of a snapshot, or a delta before one, says nothing yet that a PING could answer.
      if (report || !ours) noted(entry, frame)
      return
    }
    state.order = order
    believed(entry, frame, { ...report, releases: verified(entry, report.releases) })
  }
  /** The sequence of our PING that the marks show. */
  const pingOf = (node: string, report: NodeReport): Sequence | undefined => {
    const sent = pings.sent(node)
    const mark = report.marks.find((one) => one.op === OP.PING && one.slot === 0)
    if (!sent || !mark || mark.term !== reign.term()) return undefined
    return mark.sequence >= sent.first && mark.sequence <= sent.last ? mark.sequence : undefined
  }

  const { transport, keys, address, port, versions } = options
  await startReceiver(
    {
      ...{ transport, clock, log, roster, keys, metrics, address, port, versions },
      onFrame,
      ...(options.heardUnder && { heardUnder: options.heardUnder }),
      onGap: talks.forget,
    },
    signal,
  )

  const unsubscribe = [
    // Retired, moved or enrolled anew: nothing that was heard is about this one.
    roster.subscribe((node) => {
      needs.forget(node)
      nodes.forget(node)
    }),
    brake.subscribe((state) => {
      metrics.gauge('ppn_brake_set', state.set ? 1 : 0)
      nodes.allChanged()
    }),
    reign.subscribe((change) => {
      if (change.type === 'muted') return void nodes.livenessChanged(change.node)
      if (change.type === 'superseded') return void nodes.allChanged()
      needs.flush()
    }),
  ]
  signal.addEventListener(
    'abort',
    () => {
      for (const stop of unsubscribe) stop()
      nodes.stop()
    },
    { once: true },
  )
  return {
    view: nodes.view,
    views: nodes.views,
    subscribe: nodes.subscribe,
    superseded: () => reign.phase() === 'Superseded',
  }
}
