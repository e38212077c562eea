// What is known of each node, and how long ago it was heard (law 2): Unheard after every start, Fresh by a frame that
// counts, Stale without one for 60 s of our clock.
import type { Clock, Timer } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import type { Fleet, Liveness, NodeView } from '../../controllers/ports/fleet.ts'
import type { Term } from '../../protocol/ids.ts'
import type { TelemetryFrame } from '../../protocol/telemetry/frame.ts'
import type { NodeReport } from '../../protocol/telemetry/report.ts'
import type { Brake } from '../brake.ts'
import { type TokenBucket, tokenBucket } from '../commands/token-bucket.ts'
import type { Metrics } from '../metrics.ts'
import type { Roster } from '../roster.ts'
import type { Reign } from '../term/reign.ts'
import { sameButMoving } from './moving.ts'
import { noOrder, type OrderState } from './order.ts'
import { countRefusals } from './refusals.ts'

/** A node is Stale after this long without a frame that counts. */
const STALE_MS = 60_000
/** Frames of one node, charged after the tag: room for a snapshot of several parts and a burst of deltas. */
const FRAMES_PER_SECOND = 50
const FRAME_BURST = 200

/** Of one node; order and bucket belong to whoever judges its frames. */
export interface HeardNode {
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

export interface HeardNodes extends Pick<Fleet, 'view' | 'views' | 'subscribe'> {
  of(node: string): HeardNode
  /** A frame that is no news of the node yet: its term and boot id. */
  noted(node: string, frame: TelemetryFrame): void
  /** A frame that counts. */
  believed(node: string, frame: TelemetryFrame, report: NodeReport): void
  /** Nothing that was heard is about the node of this name any more. */
  forget(node: string): void
  livenessChanged(node: string): void
  /** Every node may be another now: the brake, or who reigns, has changed. */
  allChanged(): void
  stop(): void
}

export function heardNodes(options: {
  clock: Clock
  log: Logger
  brake: Pick<Brake, 'last'>
  roster: Pick<Roster, 'all'>
  reign: Pick<Reign, 'silence'>
  metrics: Metrics
  /** It has fallen silent. */
  onSilence(node: string): void
}): HeardNodes {
  const { clock, log, brake, roster, reign, metrics } = options
  const nodes = new Map<string, HeardNode>()
  const listeners = new Set<(node: string) => void>()

  const of = (node: string): HeardNode => {
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
  const watchSilence = (node: string, state: HeardNode): void => {
    state.timer ??= clock.after(state.heardMs + STALE_MS - clock.monotonic(), () => {
      state.timer = undefined
      if (state.heard !== 'Fresh') return
      if (clock.monotonic() - state.heardMs < STALE_MS) return void watchSilence(node, state)
      state.heard = 'Stale'
      log.warn({ node }, 'telemetry fell silent')
      options.onSilence(node)
      livenessChanged(node)
    })
  }
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
  gaugeLiveness()

  return {
    of,
    view,
    views: () => roster.all().map(({ node }) => view(node)),
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    noted(node, frame) {
      const state = of(node)
      const { bootId } = frame.header
      // While a node is fresh, its boot id is the one that proved itself.
      const boot = state.heard === 'Fresh' || state.order.left.includes(bootId) ? state.bootId : bootId
      if (state.term === frame.term && state.bootId === boot) return
      state.term = frame.term
      state.bootId = boot
      notify(node)
    },
    believed(node, frame, report) {
      const state = of(node)
      const wasFresh = state.heard === 'Fresh'
      const sameBoot = state.bootId === frame.header.bootId
      const news = !wasFresh || !sameBoot || state.term !== frame.term || !sameButMoving(state.told, report)
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
    },
    forget(node) {
      nodes.get(node)?.timer?.cancel()
      nodes.delete(node)
      livenessChanged(node)
    },
    livenessChanged,
    allChanged() {
      gaugeLiveness()
      for (const { node } of roster.all()) notify(node)
    },
    stop() {
      for (const state of nodes.values()) state.timer?.cancel()
    },
  }
}
