// Declares, gives revisions, publishes, repairs. The deciding is in rollout.ts, the revisions in revising.ts, the
// switching together in batch.ts, what is due for a node in steering.ts, the pushing in delivery.ts. Guarantees:
// - a revision is durable before anything carries it, and N+1 is pushed only after APPLY N has gone out;
// - a content equal by digest to what telemetry shows applied is not published, also not after a restart (law 6);
// - the brake is asked before every push and every APPLY (law 12), and each publication is audited.
import type { Clock } from '../../base/clock.ts'
import { PpnError } from '../../base/errors.ts'
import type { Logger } from '../../base/log.ts'
import type { Bundles, WantedContent } from '../../controllers/ports/bundles.ts'
import type { Fleet } from '../../controllers/ports/fleet.ts'
import type { Registry } from '../../controllers/ports/registry.ts'
import type { RecordStore } from '../../controllers/ports/store.ts'
import { BUNDLE_VERSIONS, type BundleVersions } from '../../protocol/bundle/versions.ts'
import type { Revision, SequenceMark, Term } from '../../protocol/ids.ts'
import { above } from '../allocation/above.ts'
import type { Keys } from '../keys/keys.ts'
import { type ApplyResult, batchRunner } from './batch.ts'
import { delivery } from './delivery.ts'
import { BATCH_IDLE_MS, BATCH_MAX_MS } from './limits.ts'
import { bundleStateOf, isUnread, type NodeState, nodeState, targetOf } from './node-state.ts'
import type { PushBundle } from './push.ts'
import { rolloutRecords } from './records.ts'
import { type RevisingOptions, revising } from './revising.ts'
import { type Allotted, nextStep, type OnReceiptNeed, type Seen, type Step, seenIn, stageOf } from './rollout.ts'
import { bundleSealer } from './sealer.ts'
import { steering } from './steering.ts'
import { batchWindow } from './window.ts'

export interface PublisherOptions {
  clock: Clock
  log: Logger
  records: RecordStore
  fleet: Pick<Fleet, 'view' | 'superseded' | 'subscribe'>
  registry: Pick<Registry, 'of' | 'head' | 'subscribe'>
  keys: Pick<Keys, 'authorityId' | 'meshId' | 'signing'>
  reign: {
    term(): Term
    /** Why nothing may be sent to the node now. */
    silence(node: string): string | undefined
    /** A bundle, which can raise the node's term, goes out to it now. */
    noteSent(node: string): void
  }
  push: PushBundle
  /** APPLY to every Connected node. */
  broadcastApply(revision: Revision): Promise<ApplyResult>
  /** Why a node that lives by this content alone would never hear of this authority; undefined: it would. */
  unreached(content: WantedContent): string | undefined
  /** A mark at or above everything ever sent to the node. */
  ceiling(node: string): SequenceMark
  /** The brake: false stops. */
  guard(): Promise<boolean>
  audit: { record(kind: 'publication', details: Readonly<Record<string, unknown>>): void }
  /** Nodes that were Connected when the last authority process ended: a change waits for them after a restart. */
  lastConnected?: Iterable<string>
  /** Versions written; the built-in ones when absent. */
  versions?: BundleVersions
}

export interface Publisher extends Bundles {
  /** Publishes until the signal aborts; may be started again then. In between, wants are only collected. */
  start(signal: AbortSignal): void
  /**
   * The node's bundle, sealed, onReceipt: for a file or a ceremony, hence also before `start`. Rejects with
   * NothingWanted, PublicationHeld, and with AuthorityUnreached where the node would be out of reach with it for good.
   */
  firstBundle(node: string): Promise<Uint8Array>
  /** Nothing but an onReceipt bundle reaches this node. Called again while it lasts. */
  needsOnReceipt(node: string, why: OnReceiptNeed): void
  /** The highest revision given out. */
  revision(): Revision
  /** `ppn restore`: a node was seen with this revision; the next one is above it. Durable. */
  raiseRevision(revision: Revision): Promise<void>
}

export function createPublisher(options: PublisherOptions): Publisher {
  const { clock, log, fleet, registry, reign, audit, versions = BUNDLE_VERSIONS } = options
  const records = rolloutRecords(options.records)
  const nodes = new Map<string, NodeState>()
  const listeners = new Set<(node: string) => void>()
  const expected = new Set(options.lastConnected ?? [])
  /** Nodes whose target has no revision yet. */
  const changed = new Set<string>()
  let braked = false
  let startedMs = clock.now()
  let running: AbortSignal | undefined

  const isRunning = (): boolean => running !== undefined && !running.aborted
  const seen = (node: string): Seen => seenIn(fleet.view(node), versions)
  const window = batchWindow(clock, BATCH_IDLE_MS, BATCH_MAX_MS, () => void revise.openly())
  const seal = bundleSealer({ registry, keys: options.keys, term: reign.term, versions })
  const deliver = delivery({
    clock,
    log,
    push: options.push,
    seal,
    mayGoOn,
    silence: reign.silence,
    seen,
    stepFor,
    save,
    onPush(node, allotted, how, why) {
      if (how === 'onApply') batch.notePush(allotted.revision)
      record(node, allotted, how, why)
    },
    onChange(node) {
      show(node)
      batch.check(node)
    },
  })
  const batch = batchRunner({
    clock,
    log,
    broadcastApply: options.broadcastApply,
    mayGoOn,
    isHeldUp: (node) => braked || reign.silence(node) === 'Listening',
    situation(node) {
      const state = nodes.get(node)
      const allotted = state?.allotted
      // Never to be had: what cannot be written, and what an earlier process published and nobody wants any more.
      if (!allotted || state.fault || (changed.has(node) && state.given?.digest !== allotted.digest)) return undefined
      const view = seen(node)
      return { node, digest: allotted.digest, seen: view, expected: view.liveness === 'Unheard' && expected.has(node) }
    },
    onClose,
  })

  const { consider, rest, cancelAttempt } = steering({
    clock,
    nodes,
    isRunning,
    seen,
    stepFor,
    deliver,
    attempt: (node, state) => attempt(node, state, state.tries + 1),
  })
  const revise = revising({
    ...{ clock, log, records, registry, nodes, changed, isRunning, seen, prior, save, onGiven },
    isOpen: () => batch.isOpen(),
  })

  function stateOf(node: string): NodeState {
    let state = nodes.get(node)
    if (!state) {
      state = nodeState(records.rollout(node), fleet.view(node).liveness === 'Fresh')
      nodes.set(node, state)
    }
    return state
  }

  /** The record, unless it is another machine's: the name was enrolled anew. */
  function prior(node: string, state: NodeState): Allotted | undefined {
    return state.allotted?.enrolmentId === registry.of(node)?.enrolmentId ? state.allotted : undefined
  }

  /** The record of the present target. */
  function current(node: string, state: NodeState): Allotted | undefined {
    const allotted = prior(node, state)
    return state.target && allotted?.digest === state.target.digest ? allotted : undefined
  }

  async function save(node: string, allotted: Allotted): Promise<void> {
    try {
      await records.save(node, allotted)
    } catch (error) {
      log.error({ node, error: String(error) }, 'a rollout could not be recorded')
      throw error
    }
  }

  // ---- declaring

  function aim(node: string, state: NodeState, wanted: WantedContent): void {
    state.target = targetOf(state, wanted, seen(node), versions)
    if (current(node, state)) {
      changed.delete(node)
      state.given = state.target
    } else {
      changed.add(node)
      if (isRunning()) window.touch()
    }
  }

  function want(node: string, wanted: WantedContent): void {
    const state = stateOf(node)
    const before = state.target
    if (before?.wanted === wanted) return
    aim(node, state, wanted)
    if (state.target?.digest === before?.digest) return
    state.fault = undefined
    if (before) state.tries = 0
    cancelAttempt(state)
    show(node)
    consider(node)
    // What an earlier process published is waited for only while it is wanted.
    if (isRunning()) batch.check(node)
  }

  function withdraw(node: string): void {
    const state = nodes.get(node)
    if (!state) return
    rest(state)
    nodes.delete(node)
    changed.delete(node)
    for (const listener of [...listeners]) listener(node)
    if (isRunning()) batch.check()
  }

  // ---- revisions

  function onGiven(revision: Revision, given: Parameters<RevisingOptions['onGiven']>[1]): void {
    for (const { node, state } of given) {
      if (current(node, state)) changed.delete(node)
      rest(state)
    }
    const members = new Set(given.map(({ node }) => node))
    if (isRunning()) batch.open(revision, members)
    for (const node of members) {
      show(node)
      consider(node)
    }
    if (isRunning()) batch.check()
  }

  function onClose(revision: Revision, members: ReadonlySet<string>): void {
    revise.closed()
    expected.clear()
    records
      .told(revision)
      .catch((error: unknown) => log.error({ error: String(error) }, 'an APPLY could not be recorded'))
    for (const node of members) {
      const state = nodes.get(node)
      if (state) state.appliedMs = clock.monotonic()
      consider(node)
    }
    if (changed.size > 0) void revise.openly()
  }

  /** A crash between a revision and its APPLY: whoever shows it staged, and whose content is still wanted, is told. */
  function resume(): void {
    const { revision, told } = records.revisions()
    if (told >= revision) return
    const members = records.rollouts().filter(({ allotted }) => allotted.revision === revision)
    for (const { node } of members) stateOf(node)
    batch.open(revision, new Set(members.map(({ node }) => node)))
  }

  // ---- one node

  function stepFor(node: string, state: NodeState): Step {
    const allotted = prior(node, state)
    if (!allotted || state.given?.digest !== allotted.digest || state.fault) return { do: 'nothing' }
    if (!isRunning() || fleet.superseded()) return { do: 'nothing' }
    const inOpenBatch = batch.has(node, allotted.revision)
    // What is no longer wanted is seen through to its APPLY with the others of its revision, and no further.
    if (!current(node, state) && (!inOpenBatch || stageOf(allotted.digest, seen(node)) === 'Reverted'))
      return { do: 'nothing' }
    return nextStep({
      allotted,
      seen: seen(node),
      term: reign.term(),
      inOpenBatch,
      appliedMs: state.appliedMs,
      repair: state.repair,
      nextPushMs: state.nextPushMs,
      nowMs: clock.monotonic(),
      authorityStartedMs: startedMs,
    })
  }

  /** Attempts only count up, so that no content ever meets an old refusal of its own; the field is a byte. */
  function attempt(node: string, state: NodeState, tries: number): void {
    if (!state.target) return
    state.tries = tries
    state.attempt = (state.attempt + 1) % 256
    aim(node, state, state.target.wanted)
    show(node)
  }

  async function mayGoOn(): Promise<boolean> {
    const open = await options.guard().catch(() => false)
    if (open === braked) {
      braked = !open
      for (const node of nodes.keys()) show(node)
    }
    return open
  }

  function record(node: string, { revision, digest }: Allotted, how: 'onApply' | 'onReceipt', why: string): void {
    audit.record('publication', { node, term: reign.term(), revision, digest, switch: how, why })
    reign.noteSent(node)
  }

  // ---- what others see and say

  function state(node: string) {
    const found = nodes.get(node)
    if (!found) return { stage: 'None' as const, held: false }
    const about = { enrolled: registry.of(node) !== undefined, braked, startedMs }
    return bundleStateOf(found, current(node, found), seen(node), about)
  }

  function show(node: string): void {
    const found = nodes.get(node)
    if (!found) return
    const { content: _, ...rest } = state(node)
    const shown = JSON.stringify(rest)
    if (shown === found.shown) return
    found.shown = shown
    for (const listener of [...listeners]) listener(node)
  }

  function onTelemetry(node: string): void {
    const found = nodes.get(node)
    if (!found) return
    const view = fleet.view(node)
    const fresh = view.liveness === 'Fresh'
    if (view.bootId !== found.bootId || (fresh && !found.fresh)) found.pushes = found.nextPushMs = 0
    found.bootId = view.bootId
    found.fresh = fresh
    // Another program runs there now, which does not read what it was given.
    if (found.target && isUnread(found.target, seen(node))) aim(node, found, found.target.wanted)
    show(node)
    consider(node)
    batch.check(node)
  }

  function onEnrolment(node: string): void {
    const found = nodes.get(node)
    if (!found?.target) return
    aim(node, found, found.target.wanted)
    show(node)
  }

  return {
    want,
    withdraw,
    state,
    retry(node) {
      const found = nodes.get(node)
      if (found && state(node).stage === 'Reverted') attempt(node, found, 0)
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    start(signal) {
      running = signal
      startedMs = clock.now()
      const stops = [fleet.subscribe(onTelemetry), registry.subscribe(onEnrolment)]
      signal.addEventListener('abort', () => {
        for (const stop of stops) stop()
        window.close()
        batch.drop()
        for (const found of nodes.values()) rest(found)
      })
      resume()
      if (changed.size > 0) window.touch()
      for (const node of nodes.keys()) consider(node)
      batch.check()
    },
    async firstBundle(node) {
      while (changed.has(node) && registry.of(node)) {
        if (batch.isOpen()) await clock.sleep(BATCH_MAX_MS)
        else await revise.now()
      }
      const found = nodes.get(node)
      const allotted = found && current(node, found)
      if (!found?.target || !allotted) throw new PpnError('NothingWanted', { node })
      const why = options.unreached(found.target.wanted)
      if (why !== undefined) throw new PpnError('AuthorityUnreached', { node, why })
      if (!(await mayGoOn())) throw new PpnError('PublicationHeld', { node, reason: 'Braked' })
      const { content, version } = found.target
      const bytes = seal({ node, revision: allotted.revision, content, version, switch: 'onReceipt' })
      record(node, allotted, 'onReceipt', 'First')
      return bytes
    },
    needsOnReceipt(node, why) {
      const found = nodes.get(node)
      if (!found?.target) return
      const known = found.repair?.why === why
      found.repair = { why, heardMs: clock.monotonic() }
      if (!known) {
        found.pushes = found.nextPushMs = 0
        if (why === 'MarksLost') {
          found.minSequence = above(options.ceiling(node))
          aim(node, found, found.target.wanted)
        }
      }
      show(node)
      consider(node)
    },
    revision: () => records.revisions().revision,
    raiseRevision: (revision) => records.raise(revision),
  }
}
