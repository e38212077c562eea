// Does what is due for one node: a push, another attempt at what it went back from, or a look later. What is due is
// decided in rollout.ts.
import type { Clock } from '../../base/clock.ts'
import type { NodeState } from './node-state.ts'
import { isRepaired, type Seen, type Step } from './rollout.ts'

export interface SteeringOptions {
  clock: Clock
  nodes: ReadonlyMap<string, NodeState>
  isRunning(): boolean
  seen(node: string): Seen
  stepFor(node: string, state: NodeState): Step
  /** Pushes; resolves when that is over, one way or another. */
  deliver(node: string, state: NodeState, signal: AbortSignal): Promise<void>
  /** What was reverted is to be tried under the next attempt. */
  attempt(node: string, state: NodeState): void
}

export interface Steering {
  /** Does what is due for a node, or sets its timer. Harmless at any time. */
  consider(node: string): void
  /** Calls off what is under way, and forgets failed pushes: the content is another, or the node is. */
  rest(state: NodeState): void
  cancelAttempt(state: NodeState): void
}

export function steering({ clock, nodes, ...options }: SteeringOptions): Steering {
  const { isRunning, seen, stepFor, deliver, attempt } = options

  function consider(node: string): void {
    const state = nodes.get(node)
    if (!state || !isRunning()) return
    if (state.repair && isRepaired(state.repair, state.allotted, seen(node))) state.repair = undefined
    const step = stepFor(node, state)
    state.timer?.cancel()
    state.timer = step.do === 'wait' ? clock.after(step.ms, () => consider(node)) : undefined
    if (step.do === 'attempt') attemptLater(node, state, step.ms)
    else cancelAttempt(state)
    if (step.do === 'push' && !state.pushing) void publish(node, state)
  }

  async function publish(node: string, state: NodeState): Promise<void> {
    state.pushing = new AbortController()
    await deliver(node, state, state.pushing.signal)
    state.pushing = undefined
    if (nodes.get(node) === state) consider(node)
  }

  function rest(state: NodeState): void {
    state.pushing?.abort()
    state.timer?.cancel()
    cancelAttempt(state)
    state.pushes = 0
    state.nextPushMs = 0
  }

  function attemptLater(node: string, state: NodeState, ms: number): void {
    state.attemptTimer ??= clock.after(ms, () => {
      state.attemptTimer = undefined
      if (nodes.get(node) === state && stepFor(node, state).do === 'attempt') attempt(node, state)
    })
  }

  function cancelAttempt(state: NodeState): void {
    state.attemptTimer?.cancel()
    state.attemptTimer = undefined
  }

  return { consider, rest, cancelAttempt }
}
