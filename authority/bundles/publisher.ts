// The shell around rollout.ts: declares, gives revisions, signs, pushes, tells. Guarantees:
// - a revision is durable before anything carries it, and N+1 is pushed only after APPLY N has gone out;
// - a content equal by digest to what telemetry shows applied is not published, also not after a restart (law 6);
// - the brake is asked before every push and every APPLY (law 12), and each publication is audited.
import type { Clock, Timer } from '../../base/clock.ts'
import { PpnError } from '../../base/errors.ts'
import type { Logger } from '../../base/log.ts'
import type { BundleState, Bundles, WantedContent } from '../../controllers/ports/bundles.ts'
import type { Fleet } from '../../controllers/ports/fleet.ts'
import type { Registry } from '../../controllers/ports/registry.ts'
import type { RecordStore } from '../../controllers/ports/store.ts'
import { contentDigest, wireDigest } from '../../protocol/bundle/digest.ts'
import type { BundleContent } from '../../protocol/bundle/document.ts'
import { encodeSignedBundle, sealBundle } from '../../protocol/bundle/seal.ts'
import type { Digest, Revision, SequenceMark, Term } from '../../protocol/ids.ts'
import type { Keys } from '../keys/keys.ts'
import { gate } from './gate.ts'
import {
  BATCH_IDLE_MS,
  BATCH_MAX_MS,
  BRAKE_LOOK_MS,
  LAGGARD_MS,
  PUSH_CONCURRENCY,
  PUSH_RETRY_MS,
  PUSH_TIMEOUT_MS,
} from './limits.ts'
import type { PushBundle, PushTarget } from './push.ts'
import { rolloutRecords } from './records.ts'
import {
  type Allotted,
  type Batch,
  isRepaired,
  judgeBatch,
  nextAttemptMs,
  nextStep,
  type OnReceiptNeed,
  type Repair,
  type Seen,
  type Step,
  seenIn,
  stageOf,
} from './rollout.ts'

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
  /** APPLY to every Connected node. `held` with the reason Braked for all means that it did not go out. */
  broadcastApply(revision: Revision): Promise<{ sent: readonly string[]; held: readonly { reason: string }[] }>
  /** A mark at or above everything ever sent to the node. */
  ceiling(node: string): SequenceMark
  /** The brake: false stops. */
  guard(): Promise<boolean>
  audit: { record(kind: 'publication', details: Readonly<Record<string, unknown>>): void }
  /** Nodes that were Connected when the last authority process ended: a change waits for them after a restart. */
  lastConnected?: Iterable<string>
}

export interface Publisher extends Bundles {
  /** Publishes until the signal aborts. Before it, wants are only collected. */
  start(signal: AbortSignal): void
  /** The node's bundle, sealed, onReceipt: for a file or a ceremony. Rejects with NothingWanted, PublicationHeld. */
  firstBundle(node: string): Promise<Uint8Array>
  /** Nothing but an onReceipt bundle reaches this node. Called again while it lasts. */
  needsOnReceipt(node: string, why: OnReceiptNeed): void
  /** The highest revision given out. */
  revision(): Revision
  /** `ppn restore`: a node was seen with this revision; the next one is above it. Durable. */
  raiseRevision(revision: Revision): Promise<void>
}

/** The content as it will be signed, and its digest. */
interface Target {
  wanted: WantedContent
  content: BundleContent
  digest: Digest
}

interface NodeState {
  target?: Target
  allotted?: Allotted
  attempt: number
  minSequence?: SequenceMark
  tries: number
  repair?: Repair
  /** Clock.monotonic() of the last APPLY that concerned it. */
  appliedMs: number
  /** Since the content changed or the node came back. */
  pushes: number
  nextPushMs: number
  pushing?: { revision: Revision; abort: AbortController }
  /** The last place it was pushed to or applied at; a change of address or port leaves the agent there until it switches. */
  reachedAt?: PushTarget
  timer?: Timer
  attemptTimer?: Timer
  bootId?: string
  fresh: boolean
  fault?: string
  shown?: string
}

type OpenBatch = Batch & { pushed: boolean; applying: boolean }

export function createPublisher(options: PublisherOptions): Publisher {
  const { clock, log, fleet, registry, keys, reign, push, guard, audit } = options
  const records = rolloutRecords(options.records)
  const nodes = new Map<string, NodeState>()
  const listeners = new Set<(node: string) => void>()
  const pushes = gate(PUSH_CONCURRENCY)
  const startedMs = clock.now()
  const expected = new Set(options.lastConnected ?? [])
  /** Targets without a revision yet. */
  const changed = new Set<string>()
  const waiters: (() => void)[] = []
  let batch: OpenBatch | undefined
  let batchTimer: Timer | undefined
  let window: { timer: Timer; openedMs: number } | undefined
  let allotting = false
  let braked = false
  let stopped: AbortSignal | undefined

  const running = (): boolean => stopped !== undefined && !stopped.aborted
  const seen = (node: string): Seen => seenIn(fleet.view(node))

  function stateOf(node: string): NodeState {
    let state = nodes.get(node)
    if (!state) {
      const allotted = records.rollout(node)
      const { attempt = 0, minSequence, tries = 0 } = allotted ?? {}
      const fresh = fleet.view(node).liveness === 'Fresh'
      state = { allotted, attempt, minSequence, tries, appliedMs: 0, pushes: 0, nextPushMs: 0, fresh }
      nodes.set(node, state)
    }
    return state
  }

  /** What came before is another machine's when the enrolment is another. */
  const prior = (node: string, state: NodeState): Allotted | undefined =>
    state.allotted?.enrolmentId === registry.of(node)?.enrolmentId ? state.allotted : undefined

  const isAllotted = (node: string, state: NodeState): boolean =>
    state.target !== undefined && prior(node, state)?.digest === state.target.digest

  const wake = (): void => {
    for (const resolve of waiters.splice(0)) resolve()
  }

  // ---- declaring

  function aim(node: string, state: NodeState, wanted: WantedContent): void {
    const content: BundleContent = {
      ...wanted,
      attempt: state.attempt,
      ...(state.minSequence && { minSequence: state.minSequence }),
    }
    state.target = { wanted, content, digest: contentDigest(content) }
    if (isAllotted(node, state)) {
      changed.delete(node)
      wake()
    } else {
      changed.add(node)
      openWindow()
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
  }

  function withdraw(node: string): void {
    const state = nodes.get(node)
    if (!state) return
    state.timer?.cancel()
    cancelAttempt(state)
    state.pushing?.abort.abort()
    nodes.delete(node)
    changed.delete(node)
    wake()
    for (const listener of [...listeners]) listener(node)
    checkBatch()
  }

  // ---- revisions

  function openWindow(): void {
    if (!running()) return
    const nowMs = clock.monotonic()
    const openedMs = window?.openedMs ?? nowMs
    window?.timer.cancel()
    const waitMs = Math.min(BATCH_IDLE_MS, Math.max(0, openedMs + BATCH_MAX_MS - nowMs))
    window = {
      openedMs,
      timer: clock.after(waitMs, () => {
        window = undefined
        void allot()
      }),
    }
  }

  const next = (node: string, state: NodeState, target: Target, revision: Revision, enrolmentId: string): Allotted => {
    const before = prior(node, state)
    const authorities = wireDigest(target.content.authorities)
    const unfinished = before?.onReceipt === true && seen(node).applied?.digest !== before.digest
    return {
      revision,
      digest: target.digest,
      attempt: target.content.attempt,
      minSequence: target.content.minSequence,
      enrolmentId,
      authorities,
      onReceipt: before === undefined || unfinished || before.authorities !== authorities,
      tries: state.tries,
      publishedMs: clock.now(),
    }
  }

  /** Gives what has changed one revision. Not while a batch is open: N+1 comes after APPLY N. */
  async function allot(): Promise<void> {
    if (batch || allotting || !running()) return
    const turn = [...changed].flatMap((node) => {
      const state = nodes.get(node)
      const enrolment = registry.of(node)
      return state?.target && enrolment ? [{ node, state, target: state.target, id: enrolment.enrolmentId }] : []
    })
    if (turn.length === 0) return
    allotting = true
    try {
      const revision = await records.next()
      const given = turn.map((one) => ({ ...one, allotted: next(one.node, one.state, one.target, revision, one.id) }))
      const urgent = given.flatMap(({ node, state, allotted }) => {
        const saved = records.save(node, allotted)
        saved.catch((error: unknown) => log.error({ node, error: String(error) }, 'a rollout could not be recorded'))
        const { attempt, minSequence } = state.allotted ?? { attempt: 0 }
        return attempt !== allotted.attempt || minSequence !== allotted.minSequence ? [saved] : []
      })
      await Promise.all(urgent)
      if (!running()) return
      // From here to the open batch nothing waits: no node is looked at between the two.
      for (const { node, state, allotted } of given) {
        state.allotted = allotted
        if (isAllotted(node, state)) changed.delete(node)
        rest(state)
        state.pushing?.abort.abort()
      }
      const members = new Set(given.map(({ node }) => node))
      batch = { revision, members, openedMs: clock.monotonic(), pushed: false, applying: false }
      for (const node of members) {
        show(node)
        consider(node)
      }
    } catch (error) {
      log.error({ error: String(error) }, 'no revision could be given; nothing is published')
      clock.after(BRAKE_LOOK_MS, () => void allot())
    } finally {
      allotting = false
      wake()
    }
    checkBatch()
  }

  // ---- one node

  /** Forget failed pushes: the content is another, or the node is. */
  function rest(state: NodeState): void {
    state.pushes = 0
    state.nextPushMs = 0
  }

  function stepFor(node: string, state: NodeState): Step {
    const allotted = prior(node, state)
    if (!allotted || !state.target || state.target.digest !== allotted.digest || state.fault) return { do: 'nothing' }
    return nextStep({
      allotted,
      seen: seen(node),
      term: reign.term(),
      inOpenBatch: batch?.revision === allotted.revision && batch.members.has(node),
      appliedMs: state.appliedMs,
      repair: state.repair,
      nextPushMs: state.nextPushMs,
      nowMs: clock.monotonic(),
      authorityStartedMs: startedMs,
    })
  }

  /** Does what is due for a node, or sets its timer. Harmless at any time. */
  function consider(node: string): void {
    const state = nodes.get(node)
    if (!state || !running() || fleet.superseded()) return
    if (state.repair && isRepaired(state.repair, state.allotted, seen(node))) state.repair = undefined
    const step = stepFor(node, state)
    state.timer?.cancel()
    state.timer = undefined
    if (step.do !== 'attempt') cancelAttempt(state)
    if (step.do === 'wait') lookAgain(node, state, step.ms)
    if (step.do === 'attempt') attemptLater(node, state, step.ms)
    if (step.do === 'push' && !state.pushing) void publish(node, state)
  }

  function lookAgain(node: string, state: NodeState, ms: number): void {
    state.timer?.cancel()
    state.timer = clock.after(ms, () => consider(node))
  }

  function attemptLater(node: string, state: NodeState, ms: number): void {
    state.attemptTimer ??= clock.after(ms, () => {
      state.attemptTimer = undefined
      if (nodes.get(node) === state && stepFor(node, state).do === 'attempt') attempt(node, state, state.tries + 1)
    })
  }

  function cancelAttempt(state: NodeState): void {
    state.attemptTimer?.cancel()
    state.attemptTimer = undefined
  }

  /** Attempts only count up, so that no content ever meets an old refusal of its own; the field is a byte. */
  function attempt(node: string, state: NodeState, tries: number): void {
    if (!state.target) return
    state.tries = tries
    state.attempt = (state.attempt + 1) % 256
    aim(node, state, state.target.wanted)
    show(node)
  }

  // ---- publishing

  function seal(
    node: string,
    allotted: Allotted,
    content: BundleContent,
    how: 'onApply' | 'onReceipt',
    version?: number,
  ): Uint8Array {
    const enrolment = registry.of(node)
    if (!enrolment) throw new PpnError('NothingWanted', { node })
    const document = {
      version: 1 as const,
      meshId: keys.meshId,
      nodeId: enrolment.nodeId,
      enrolmentId: enrolment.enrolmentId,
      term: reign.term(),
      revision: allotted.revision,
      switch: how,
      registryHead: registry.head(),
      content,
    }
    const authority = { id: keys.authorityId, signingSecret: keys.signing.secretKey }
    return encodeSignedBundle(sealBundle(document, authority, { version }))
  }

  /** Where the agent listens: where it was last reached, and where the wanted content puts it. */
  function targetFor(state: NodeState, content: BundleContent): PushTarget {
    const wanted: PushTarget = { address: content.node.address, port: content.mesh.ports.sync }
    const known = state.reachedAt
    return known && state.pushes % 2 === 1 ? known : wanted
  }

  async function publish(node: string, state: NodeState): Promise<void> {
    const abort = new AbortController()
    const pushing = { revision: state.allotted?.revision ?? 0, abort }
    state.pushing = pushing
    const leave = await pushes.enter()
    try {
      await publishNow(node, state, abort.signal)
    } finally {
      leave()
      state.pushing = undefined
      if (nodes.get(node) === state) consider(node)
    }
  }

  async function publishNow(node: string, state: NodeState, aborted: AbortSignal): Promise<void> {
    const open = await mayGoOn()
    // Only now is it known whether it is still due: it may have waited for its turn.
    const step = stepFor(node, state)
    const { allotted, target } = state
    if (aborted.aborted || !running() || step.do !== 'push' || !allotted || !target) return
    if (!open || reign.silence(node) !== undefined) {
      state.nextPushMs = clock.monotonic() + BRAKE_LOOK_MS
      return show(node)
    }
    let bytes: Uint8Array
    try {
      bytes = seal(node, allotted, target.content, step.switch, seen(node).version)
    } catch (error) {
      state.fault = error instanceof PpnError ? error.code : String(error)
      log.error({ node, error: String(error) }, 'a bundle cannot be written')
      return show(node)
    }
    await noteLatePush(node, state, allotted)
    if (aborted.aborted || !running() || state.allotted !== allotted) return
    const to = targetFor(state, target.content)
    const spread = PUSH_RETRY_MS[Math.min(state.pushes, PUSH_RETRY_MS.length - 1)] as number
    state.pushes++
    state.nextPushMs = clock.monotonic() + spread
    if (batch?.revision === allotted.revision && step.switch === 'onApply') batch.pushed = true
    const { revision, digest } = allotted
    audit.record('publication', { node, term: reign.term(), revision, digest, switch: step.switch, why: step.why })
    reign.noteSent(node)
    const timer = clock.after(PUSH_TIMEOUT_MS, () => state.pushing?.abort.abort(new Error('timed out')))
    try {
      await push(to, bytes, aborted)
      state.reachedAt = to
    } catch (error) {
      log.debug({ node, ...to, error: String(error) }, 'a bundle could not be pushed')
    } finally {
      timer.cancel()
    }
  }

  /** A node that comes late is published to long after its revision was given: its 60 s begin now. */
  async function noteLatePush(node: string, state: NodeState, allotted: Allotted): Promise<void> {
    if (Math.abs(clock.now() - allotted.publishedMs) <= LAGGARD_MS) return
    allotted.publishedMs = clock.now()
    if (state.allotted === allotted)
      await records
        .save(node, allotted)
        .catch((error: unknown) => log.error({ node, error: String(error) }, 'not recorded'))
  }

  async function mayGoOn(): Promise<boolean> {
    const open = await guard().catch(() => false)
    if (open === braked) {
      braked = !open
      for (const node of nodes.keys()) show(node)
    }
    return open
  }

  // ---- a batch

  /** Forgets members whose wanted content has changed again: the next revision is theirs. */
  function membersOf(open: OpenBatch) {
    return [...open.members].flatMap((node) => {
      const state = nodes.get(node)
      if (!state?.allotted || changed.has(node)) return []
      const view = seen(node)
      return [
        { digest: state.allotted.digest, seen: view, expected: view.liveness === 'Unheard' && expected.has(node) },
      ]
    })
  }

  /** Time does not count against laggards while nothing may be sent. */
  function isHeldUp(open: OpenBatch): boolean {
    return braked || [...open.members].some((node) => reign.silence(node) === 'Listening')
  }

  function checkBatch(): void {
    batchTimer?.cancel()
    batchTimer = undefined
    const open = batch
    if (!open || open.applying || !running()) return
    const nowMs = clock.monotonic()
    if (isHeldUp(open)) {
      open.openedMs = nowMs
      batchTimer = clock.after(BRAKE_LOOK_MS, () => void mayGoOn().then(checkBatch))
      return
    }
    const verdict = judgeBatch(membersOf(open), nowMs - open.openedMs, LAGGARD_MS, open.pushed)
    if (verdict.do === 'wait') batchTimer = clock.after(verdict.ms, checkBatch)
    else {
      expected.clear()
      open.applying = true
      void (verdict.do === 'apply' ? apply(open) : close(open))
    }
  }

  async function apply(open: OpenBatch): Promise<void> {
    try {
      if (await mayGoOn()) {
        const { sent, held } = await options.broadcastApply(open.revision)
        if (sent.length > 0 || held.length === 0 || held.some(({ reason }) => reason !== 'Braked')) return close(open)
      }
    } catch (error) {
      log.error({ revision: open.revision, error: String(error) }, 'APPLY could not be sent')
    }
    open.applying = false
    if (running()) batchTimer = clock.after(BRAKE_LOOK_MS, checkBatch)
  }

  function close(open: OpenBatch): void {
    batch = undefined
    records
      .told(open.revision)
      .catch((error: unknown) => log.error({ error: String(error) }, 'an APPLY could not be recorded'))
    const nowMs = clock.monotonic()
    for (const node of open.members) {
      const state = nodes.get(node)
      if (!state) continue
      state.appliedMs = nowMs
      consider(node)
    }
    if (changed.size > 0) void allot()
  }

  /** A crash between a revision and its APPLY: whoever shows it staged, and whose content is still wanted, is told. */
  function resume(): void {
    const { revision, told } = records.revisions()
    if (told >= revision) return
    const members = records.rollouts().filter(({ allotted }) => allotted.revision === revision)
    for (const { node } of members) stateOf(node)
    batch = {
      revision,
      members: new Set(members.map(({ node }) => node)),
      openedMs: clock.monotonic(),
      pushed: false,
      applying: false,
    }
  }

  // ---- what others see

  function state(node: string): BundleState {
    const found = nodes.get(node)
    if (!found?.target) return { stage: 'None', held: false }
    const { digest, wanted: content } = found.target
    const allotted = prior(node, found)
    if (allotted?.digest !== digest) {
      const reason = registry.of(node) ? 'Changed' : 'NotEnrolled'
      return { digest, content, stage: 'Pending', held: false, reason }
    }
    const base = { revision: allotted.revision, digest, content }
    const view = seen(node)
    const stage = stageOf(digest, view)
    if (found.fault && stage !== 'Applied') return { ...base, stage: 'Refused', held: false, reason: found.fault }
    const held = stage === 'Reverted' && nextAttemptMs(allotted, startedMs) === undefined
    return { ...base, stage, held, reason: reasonFor(stage, held, view) }
  }

  function reasonFor(stage: BundleState['stage'], held: boolean, view: Seen): string | undefined {
    if (stage === 'Refused') return 'NoCommonBundleVersion'
    if (stage === 'Reverted') return held ? 'RevertedHeld' : 'RevertedTriedAgain'
    if (stage === 'Applied') return undefined
    if (braked) return 'Braked'
    return view.liveness === 'Fresh' ? undefined : 'NotConnected'
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
    if (view.bootId !== found.bootId || (fresh && !found.fresh)) rest(found)
    found.bootId = view.bootId
    found.fresh = fresh
    show(node)
    consider(node)
    if (batch?.members.has(node)) checkBatch()
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
      stopped = signal
      const stops = [fleet.subscribe(onTelemetry), registry.subscribe(onEnrolment)]
      signal.addEventListener('abort', () => {
        for (const stop of stops) stop()
        for (const timer of [window?.timer, batchTimer, ...[...nodes.values()].map((n) => n.timer)]) timer?.cancel()
        for (const found of nodes.values()) {
          cancelAttempt(found)
          found.pushing?.abort.abort()
        }
        wake()
      })
      resume()
      if (changed.size > 0) openWindow()
      for (const node of nodes.keys()) consider(node)
      checkBatch()
    },
    async firstBundle(node) {
      while (changed.has(node) && registry.of(node) && running())
        await new Promise<void>((resolve) => {
          waiters.push(resolve)
        })
      const found = nodes.get(node)
      const allotted = found && prior(node, found)
      if (!found?.target || allotted?.digest !== found.target.digest) throw new PpnError('NothingWanted', { node })
      if (!(await mayGoOn())) throw new PpnError('PublicationHeld', { node, reason: 'Braked' })
      const bytes = seal(node, allotted, found.target.content, 'onReceipt')
      const { revision, digest } = allotted
      audit.record('publication', { node, term: reign.term(), revision, digest, switch: 'onReceipt', why: 'First' })
      return bytes
    },
    needsOnReceipt(node, why) {
      const found = nodes.get(node)
      if (!found?.target) return
      const heardMs = clock.monotonic()
      const known = found.repair?.why === why
      found.repair = { why, heardMs }
      if (why === 'MarksLost' && !known) {
        const { term, sequence } = options.ceiling(node)
        found.minSequence = { term, sequence: sequence + 1 }
        aim(node, found, found.target.wanted)
      }
      if (!known) rest(found)
      show(node)
      consider(node)
    },
    revision: () => records.revisions().revision,
    raiseRevision: (revision) => records.raise(revision),
  }
}
