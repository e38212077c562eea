// What the fleet is really doing, as far as its telemetry shows it (section 7.3, law 2): the one source of
// conditions and liveness. A node is Unheard after every start, until a frame of the current term shows the mark of
// a PING of this process; with its telemetry cut it becomes Stale, by our clock.
import type { Clock, Timer } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import type { Transport } from '../../base/transport.ts'
import type { Fleet, Liveness, NodeView } from '../../controllers/ports/fleet.ts'
import { OP } from '../../protocol/command/ops.ts'
import type { MeshId, Sequence, Term } from '../../protocol/ids.ts'
import type { FrameVersions, TelemetryFrame } from '../../protocol/telemetry/frame.ts'
import type { NodeReport } from '../../protocol/telemetry/report.ts'
import type { Brake } from '../brake.ts'
import { type TokenBucket, tokenBucket } from '../commands/token-bucket.ts'
import { type Metrics, noMetrics } from '../metrics.ts'
import type { Roster, RosterEntry } from '../roster.ts'
import type { NodeKeyRing } from '../term/node-keys.ts'
import type { Reign } from '../term/reign.ts'
import { claimsOf } from '../term/restore.ts'
import { sameButMoving } from './moving.ts'
import { type OnReceiptNeed, onReceiptNeeds } from './needs.ts'
import { accepted, noOrder, type OrderState, seen } from './order.ts'
import { startReceiver, type TelemetryConnection } from './receiver.ts'
import { countRefusals } from './refusals.ts'
import { releaseCheck } from './releases.ts'
import { connectionTalks } from './talks.ts'

/** A node is Stale after this long without a frame that counts. */
const STALE_MS = 60_000
/** Frames of one node, charged after the tag: room for a snapshot of several parts and a burst of deltas. */
const FRAMES_PER_SECOND = 50
const FRAME_BURST = 200
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
}

interface NodeState {
  order: OrderState
  bucket: TokenBucket
  heard: 'Never' | 'Fresh' | 'Stale'
  /** Clock.monotonic() of the last frame that counts. */
  heardMs: number
  lastHeardMs?: number
  bootId?: string
  term?: Term
  report?: NodeReport
  /** The report that listeners last heard of. */
  told?: NodeReport
  timer?: Timer
}

/** Listens until the signal aborts. Counts and drops whatever does not belong; never throws for what comes in. */
export async function startTelemetrySink(options: TelemetrySinkOptions, signal: AbortSignal): Promise<Fleet> {
  const { clock, log, brake, roster, reign, pings, metrics = noMetrics } = options
  const nodes = new Map<string, NodeState>()
  const listeners = new Set<(node: string) => void>()

  const of = (node: string): NodeState => {
    let state = nodes.get(node)
    if (!state) {
      const bucket = tokenBucket(FRAMES_PER_SECOND, FRAME_BURST)
      state = { order: noOrder, bucket, heard: 'Never', heardMs: 0 }
      nodes.set(node, state)
    }
    return state
  }
  const notify = (node: string): void => {
    for (const listener of [...listeners]) listener(node)
  }
  const verified = releaseCheck(options.meshId, () => discard('ForgedRelease'))
  const discard = (reason: string): void => metrics.count('ppn_telemetry_discarded_total', reason)
  const talks = connectionTalks(discard)

  const livenessOf = (node: string): Liveness => {
    if (reign.silence(node) === 'Superseded') return 'Superseded'
    const heard = nodes.get(node)?.heard ?? 'Never'
    if (heard !== 'Never') return heard
    return brake.last().set ? 'Braked' : 'Unheard'
  }
  const gaugeLiveness = (): void => {
    const counts: Record<Liveness, number> = { Unheard: 0, Fresh: 0, Stale: 0, Braked: 0, Superseded: 0 }
    for (const { node } of roster.all()) counts[livenessOf(node)]++
    for (const [liveness, count] of Object.entries(counts)) metrics.gauge('ppn_nodes', count, liveness)
  }
  const livenessChanged = (node: string): void => {
    gaugeLiveness()
    notify(node)
  }

  const needs = onReceiptNeeds(options)
  /** Losses are told by agents that obey no command, hence in frames that show no mark of ours. */
  const needsOf = (node: string, frame: TelemetryFrame): void => {
    if (reign.term() - frame.term > TERM_REACH) needs.tell(node, 'TermBehind')
    if (frame.body.marksLost) needs.tell(node, 'MarksLost')
    if (frame.body.bundleLost) needs.tell(node, 'BundleLost')
  }

  const watchSilence = (node: string, state: NodeState): void => {
    state.timer ??= clock.after(state.heardMs + STALE_MS - clock.monotonic(), () => {
      state.timer = undefined
      if (state.heard !== 'Fresh') return
      if (clock.monotonic() - state.heardMs < STALE_MS) return void watchSilence(node, state)
      state.heard = 'Stale'
      log.warn({ node }, 'telemetry fell silent')
      pings.draw(node)
      livenessChanged(node)
    })
  }

  /** A frame that is no news of the node yet: its term and boot id, and what they call for. */
  const noted = (entry: RosterEntry, state: NodeState, frame: TelemetryFrame): void => {
    metrics.count('ppn_telemetry_frames_total', 'TermOnly')
    if (reign.silence(entry.node) === undefined && reign.term() - frame.term <= TERM_REACH) pings.draw(entry.node)
    const { bootId } = frame.header
    // While a node is fresh, its boot id is the one that proved itself.
    const boot = state.heard === 'Fresh' || state.order.left.includes(bootId) ? state.bootId : bootId
    if (state.term === frame.term && state.bootId === boot) return
    state.term = frame.term
    state.bootId = boot
    notify(entry.node)
  }

  const believed = (entry: RosterEntry, state: NodeState, frame: TelemetryFrame, report: NodeReport): void => {
    const { node } = entry
    metrics.count('ppn_telemetry_frames_total', 'Fresh')
    reign.settled(node)
    pings.settle(node)
    const news =
      state.heard !== 'Fresh' ||
      state.bootId !== frame.header.bootId ||
      state.term !== frame.term ||
      !sameButMoving(state.told, report)
    const wasFresh = state.heard === 'Fresh'
    const sameBoot = state.bootId === frame.header.bootId
    countRefusals(metrics, sameBoot ? state.report?.refusals : undefined, report.refusals)
    state.heard = 'Fresh'
    state.heardMs = clock.monotonic()
    state.lastHeardMs = clock.now()
    state.bootId = frame.header.bootId
    state.term = frame.term
    state.report = report
    watchSilence(node, state)
    if (!news) return
    state.told = report
    if (wasFresh) notify(node)
    else livenessChanged(node)
  }

  const onFrame = (connection: TelemetryConnection, frame: TelemetryFrame): void => {
    const { entry } = connection
    const state = of(entry.node)
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
      if (report || !ours) noted(entry, state, frame)
      return
    }
    state.order = order
    believed(entry, state, frame, { ...report, releases: verified(entry, report.releases) })
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
      onGap: talks.forget,
    },
    signal,
  )

  const forget = (node: string): void => {
    nodes.get(node)?.timer?.cancel()
    nodes.delete(node)
    needs.forget(node)
    livenessChanged(node)
  }
  const all = (): void => {
    gaugeLiveness()
    for (const { node } of roster.all()) notify(node)
  }
  const unsubscribe = [
    // Retired, moved or enrolled anew: nothing that was heard is about this one.
    roster.subscribe(forget),
    brake.subscribe((state) => {
      metrics.gauge('ppn_brake_set', state.set ? 1 : 0)
      all()
    }),
    reign.subscribe((change) => {
      if (change.type === 'muted') return void livenessChanged(change.node)
      if (change.type === 'superseded') return void all()
      needs.flush()
    }),
  ]
  gaugeLiveness()
  signal.addEventListener(
    'abort',
    () => {
      for (const stop of unsubscribe) stop()
      for (const state of nodes.values()) state.timer?.cancel()
    },
    { once: true },
  )

  const view = (node: string): NodeView => {
    const liveness = livenessOf(node)
    const state = nodes.get(node)
    return {
      node,
      liveness,
      lastHeardMs: state?.lastHeardMs,
      bootId: state?.bootId,
      term: state?.term,
      report: liveness === 'Fresh' || liveness === 'Stale' ? state?.report : undefined,
    }
  }
  return {
    view,
    views: () => roster.all().map(({ node }) => view(node)),
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    superseded: () => reign.phase() === 'Superseded',
  }
}
