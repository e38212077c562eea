// Gives revisions, one after the other: whatever has changed by then shares one, durable before anything carries it.
// N+1 is given only once the batch of N is closed, and a moment later, so that a fleet that comes up is not told a node
// at a time.
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import type { Registry } from '../../controllers/ports/registry.ts'
import type { Revision } from '../../protocol/ids.ts'
import { BRAKE_LOOK_MS, REVISION_SPACING_MS } from './limits.ts'
import { allot, type NodeState } from './node-state.ts'
import type { RolloutRecords } from './records.ts'
import type { Allotted, Seen } from './rollout.ts'

export interface RevisingOptions {
  clock: Clock
  log: Logger
  records: RolloutRecords
  registry: Pick<Registry, 'of'>
  nodes: ReadonlyMap<string, NodeState>
  /** Nodes whose target has no revision yet. */
  changed: ReadonlySet<string>
  isRunning(): boolean
  /** A batch is open: its revision has not been told yet. */
  isOpen(): boolean
  seen(node: string): Seen
  /** The node's record, unless it is another machine's. */
  prior(node: string, state: NodeState): Allotted | undefined
  save(node: string, allotted: Allotted): Promise<void>
  /** The revision is durable. From here to the open batch nothing may wait: no node is looked at between the two. */
  onGiven(revision: Revision, given: readonly { node: string; state: NodeState; allotted: Allotted }[]): void
}

export interface Revising {
  /** Now, or when the spacing allows; looks again after an error. */
  openly(): Promise<void>
  /** Now, unless a batch is open. Rejects when no revision can be made durable. */
  now(): Promise<void>
  /** An APPLY has gone out: the spacing counts from here. */
  closed(): void
}

export function revising(options: RevisingOptions): Revising {
  const { clock, log, records, registry, nodes, changed, isRunning, isOpen, seen, prior, save } = options
  let last: Promise<void> = Promise.resolve()
  /** Clock.monotonic() of the last APPLY, and whether somebody waits for the spacing after it. */
  let closedMs = Number.NEGATIVE_INFINITY
  let spacing = false

  async function openly(): Promise<void> {
    if (!isRunning()) return
    const waitMs = closedMs + REVISION_SPACING_MS - clock.monotonic()
    if (waitMs > 0) {
      if (spacing) return
      spacing = true
      clock.after(waitMs, () => {
        spacing = false
        void openly()
      })
      return
    }
    try {
      await now()
    } catch (error) {
      log.error({ error: String(error) }, 'no revision could be given; nothing is published')
      clock.after(BRAKE_LOOK_MS, () => void openly())
    }
  }

  function now(): Promise<void> {
    const run = last.then(give)
    last = run.catch(() => undefined)
    return run
  }

  async function give(): Promise<void> {
    // N+1 comes after APPLY N; whoever closes the batch looks again.
    if (isOpen()) return
    const turn = [...changed].flatMap((node) => {
      const state = nodes.get(node)
      const enrolment = registry.of(node)
      return state?.target && enrolment
        ? [{ node, state, target: state.target, enrolmentId: enrolment.enrolmentId }]
        : []
    })
    if (turn.length === 0) return
    const revision = await records.next()
    const given = turn.map(({ node, state, target, enrolmentId }) => {
      const about = { revision, enrolmentId, nowMs: clock.now() }
      return { node, state, target, allotted: allot(state, target, about, prior(node, state), seen(node)) }
    })
    await Promise.all(given.flatMap(({ node, state, allotted }) => saveNew(node, state.allotted, allotted)))
    for (const { state, target, allotted } of given) {
      state.allotted = allotted
      state.given = target
      state.fault = undefined
    }
    options.onGiven(revision, given)
  }

  /** Only what is part of the content must be durable before it is published (records.ts). */
  function saveNew(node: string, before: Allotted | undefined, allotted: Allotted): Promise<void>[] {
    const saved = save(node, allotted)
    const content = before?.attempt !== allotted.attempt || before.minSequence !== allotted.minSequence
    if (content && (allotted.attempt > 0 || allotted.minSequence)) return [saved]
    saved.catch(() => {})
    return []
  }

  return {
    openly,
    now,
    closed() {
      closedMs = clock.monotonic()
    },
  }
}
