// One reign of one authority process: its term, whether it may speak yet, and to whom it may not. The rules are in
// start.ts and restore.ts; this is the shell that keeps their state, the clock and the records together.
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import type { RecordStore } from '../../controllers/ports/store.ts'
import type { Term } from '../../protocol/ids.ts'
import type { Audit } from '../audit.ts'
import { type Metrics, noMetrics } from '../metrics.ts'
import type { RosterEntry } from '../roster.ts'
import { raiseTerm } from './raise.ts'
import { type Claims, endRestoreOf, readRestore, takeHigher, withinReach } from './restore.ts'
import { beginStart, LISTEN_MS, nextStart, type StartEvent, type StartState } from './start.ts'

export interface ReignOptions {
  records: Pick<RecordStore, 'get' | 'put' | 'delete'>
  clock: Clock
  log: Logger
  audit: Pick<Audit, 'record'>
  metrics?: Metrics
  /** Nodes to listen for before the first packet: enrolled, and Connected when the last process ended. After a
   * restore, all that it waits to hear are listened for as well. */
  lastConnected: Iterable<string>
  /** 5 s; 0 for a new leader on a cluster, which speaks at once, but not after a restore. */
  listenMs?: number
  /**
   * Restoring: makes durable what a node claims beyond the term (revision, epochs, registry), by `takeHigher`.
   * Until it resolves, the node counts as unheard. `base`: the restored counters.
   */
  takeClaims?(node: string, claims: Claims, base: { term: Term; revision: number }): Promise<void>
}

type ReignChange = { type: 'opened' } | { type: 'superseded' } | { type: 'muted'; node: string } | { type: 'raised' }

export interface Reign {
  term(): Term
  phase(): StartState['phase']
  /** Why nothing may be sent to this node now; undefined: it may. */
  silence(node: string): 'Listening' | 'Superseded' | undefined
  /** Something that can raise the node's term (a packet addressed to it, a bundle) goes out to it now. */
  noteSent(node: string): void
  /**
   * A frame with a valid tag came from the node. `claims` come with a whole report. Returns whether the frame may be
   * taken as news of the node: not if it speaks against us, nor before a restore has taken what it claims.
   */
  heard(entry: RosterEntry, term: Term, claims?: Claims): boolean
  /** The node was found fresh: a restore takes nothing more from it. */
  settled(node: string): void
  subscribe(listener: (change: ReignChange) => void): () => void
}

/** Raises the term, durably, and begins to listen. Rejects with `Conflict` when another process raised it too. */
export async function openReign(options: ReignOptions, signal: AbortSignal): Promise<Reign> {
  const { records, clock, log, audit, metrics = noMetrics } = options
  const listeners = new Set<(change: ReignChange) => void>()
  const sent = new Set<string>()
  const restore = readRestore(records)
  /** Restoring: nodes whose claims are still taken, and what has been taken of each so far. */
  const restoring = new Map<string, { taken: boolean; taking: boolean }>(
    (restore?.unheard ?? []).map((node) => [node, { taken: false, taking: false }]),
  )
  /** Writes to the records, one after the other. */
  let tail: Promise<void> = Promise.resolve()

  const first = await raiseTerm(records)
  let state = beginStart(first, [...options.lastConnected, ...restoring.keys()])
  // After a restore also a leader that would speak at once: who has been told something in this term cannot be asked any
  // more whether it had heard it from another.
  const listenMs = (restore && options.listenMs === 0 ? undefined : options.listenMs) ?? LISTEN_MS
  if (listenMs === 0) state = nextStart(state, { type: 'deadline' })
  audit.record('term', { term: first })
  metrics.gauge('ppn_term', first)

  const emit = (change: ReignChange): void => {
    for (const listener of [...listeners]) listener(change)
  }
  const step = (event: StartEvent): void => {
    const before = state
    state = nextStart(before, event)
    for (const node of state.against) if (!before.against.has(node)) speaksAgainst(node, event)
    if (state.phase === before.phase) return
    if (state.phase === 'Open') emit({ type: 'opened' })
    if (state.phase === 'Superseded') {
      metrics.gauge('ppn_superseded', 1)
      log.error({ term: state.term, nodes: [...state.against] }, 'superseded: this is not the newest authority')
      audit.record('refusal', { what: 'Superseded', term: state.term, nodes: [...state.against] })
      emit({ type: 'superseded' })
    }
  }
  const speaksAgainst = (node: string, event: StartEvent): void => {
    const reported = event.type === 'heard' ? event.term : undefined
    log.warn({ node, term: state.term, reported }, 'a node reports a term that this authority cannot explain')
    audit.record('refusal', { what: 'TermReported', node, term: state.term, reported })
    emit({ type: 'muted', node })
  }

  const inTurn = (work: () => Promise<void>, what: string): void => {
    tail = tail.then(work).catch((error: unknown) => log.error({ error: String(error) }, what))
  }
  const take = (node: string, claims: Claims, base: { term: Term; revision: number }): void => {
    const progress = restoring.get(node)
    if (!progress || progress.taking) return
    progress.taking = true
    // Ours, reported by a node that we sent nothing, was another reign's: ours goes on above it. The first one may have
    // been, whoever reports it: a node that was heard late has been told of it by then. That costs at most one term.
    const anothers = claims.term === state.term && (state.term === first || !sent.has(node))
    inTurn(async () => {
      try {
        await options.takeClaims?.(node, claims, base)
        const taken = takeHigher(state.term, base.term, claims.term)
        // Of several that came together the first one may have raised it by now.
        if (taken > state.term || (anothers && claims.term === state.term)) await raise(node, taken)
        progress.taken = true
        // What was taken does not speak against us: the node is only listened for no longer.
        step({ type: 'heard', node, hub: false, term: 0, told: true })
      } finally {
        progress.taking = false
      }
    }, 'what a node reports could not be taken over')
  }
  const raise = async (node: string, above: Term): Promise<void> => {
    const term = await raiseTerm(records, above)
    audit.record('term', { term, restoredFrom: node })
    metrics.gauge('ppn_term', term)
    sent.clear()
    step({ type: 'raised', term })
    emit({ type: 'raised' })
  }

  if (state.phase === 'Listening') {
    const timer = clock.after(listenMs, () => step({ type: 'deadline' }))
    signal.addEventListener('abort', () => timer.cancel(), { once: true })
  }

  return {
    term: () => state.term,
    phase: () => state.phase,
    silence(node) {
      if (state.phase === 'Listening') return 'Listening'
      return state.phase === 'Superseded' || state.against.has(node) ? 'Superseded' : undefined
    },
    noteSent: (node) => void sent.add(node),
    heard(entry, term, claims) {
      const progress = restoring.get(entry.node)
      if (progress && restore && withinReach(restore.base.term, claims?.term ?? term)) {
        if (claims && (!progress.taken || claims.term > state.term)) {
          progress.taken = false
          take(entry.node, claims, restore.base)
        }
        return progress.taken
      }
      step({ type: 'heard', node: entry.node, hub: entry.hub, term, told: sent.has(entry.node) })
      return state.phase !== 'Superseded' && !state.against.has(entry.node)
    },
    settled(node) {
      if (!restoring.delete(node)) return
      inTurn(() => endRestoreOf(records, node), 'the restore record could not be written')
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
