// One push of one node's bundle: its turn, the brake, the signature, the connection. What comes of it only telemetry
// shows.
import type { Clock } from '../../base/clock.ts'
import { PpnError } from '../../base/errors.ts'
import type { Logger } from '../../base/log.ts'
import type { BundleContent } from '../../protocol/bundle/document.ts'
import { gate } from './gate.ts'
import { BRAKE_LOOK_MS, LAGGARD_MS, PUSH_CONCURRENCY, PUSH_RETRY_MS, PUSH_TIMEOUT_MS } from './limits.ts'
import type { NodeState, Target } from './node-state.ts'
import type { PushBundle, PushTarget } from './push.ts'
import type { Allotted, PushReason, Seen, Step } from './rollout.ts'
import type { SealContent } from './sealer.ts'

export interface DeliveryOptions {
  clock: Clock
  log: Logger
  push: PushBundle
  seal: SealContent
  /** Asks the brake; false stops. */
  mayGoOn(): Promise<boolean>
  /** Why nothing may be sent to the node now. */
  silence(node: string): string | undefined
  seen(node: string): Seen
  /** What is due for the node now. */
  stepFor(node: string, state: NodeState): Step
  save(node: string, allotted: Allotted): Promise<void>
  /** The bytes go out now. */
  onPush(node: string, allotted: Allotted, how: 'onApply' | 'onReceipt', why: PushReason): void
  /** The node's state as controllers see it may have changed. */
  onChange(node: string): void
}

/** Pushes if it is still due when its turn has come. Never rejects. */
export type Deliver = (node: string, state: NodeState, signal: AbortSignal) => Promise<void>

export function delivery(options: DeliveryOptions): Deliver {
  const { clock, log } = options
  const turns = gate(PUSH_CONCURRENCY)

  return async (node, state, signal) => {
    const leave = await turns.enter()
    try {
      await deliverNow(node, state, signal)
    } catch (error) {
      // It is still due: without a pause it would be tried again at once, for ever.
      state.nextPushMs = clock.monotonic() + BRAKE_LOOK_MS
      log.error({ node, error: String(error) }, 'a bundle was not pushed')
    } finally {
      leave()
    }
  }

  async function deliverNow(node: string, state: NodeState, signal: AbortSignal): Promise<void> {
    const open = await options.mayGoOn()
    const step = options.stepFor(node, state)
    const { allotted, given } = state
    if (signal.aborted || step.do !== 'push' || !allotted || !given) return
    if (!open || options.silence(node) !== undefined) {
      state.nextPushMs = clock.monotonic() + BRAKE_LOOK_MS
      return options.onChange(node)
    }
    const bytes = sealed(node, state, allotted, given, step.switch)
    if (!bytes) return
    await noteLatePush(node, allotted)
    if (signal.aborted || state.allotted !== allotted) return

    const to = placeOf(state, given.content)
    state.nextPushMs = clock.monotonic() + (PUSH_RETRY_MS[Math.min(state.pushes, PUSH_RETRY_MS.length - 1)] as number)
    state.pushes++
    options.onPush(node, allotted, step.switch, step.why)
    await pushTo(node, state, to, bytes, signal)
  }

  function sealed(
    node: string,
    state: NodeState,
    { revision }: Allotted,
    { content, version }: Target,
    how: 'onApply' | 'onReceipt',
  ): Uint8Array | undefined {
    try {
      return options.seal({ node, revision, content, switch: how, version })
    } catch (error) {
      state.fault = error instanceof PpnError ? error.code : String(error)
      log.error({ node, error: String(error) }, 'a bundle cannot be written')
      options.onChange(node)
      return undefined
    }
  }

  /** A node that comes late is published to long after its revision was given: its 60 s begin now. */
  async function noteLatePush(node: string, allotted: Allotted): Promise<void> {
    if (Math.abs(clock.now() - allotted.publishedMs) <= LAGGARD_MS) return
    allotted.publishedMs = clock.now()
    await options.save(node, allotted)
  }

  /** In turn where the wanted content puts the agent, and where it was last reached. */
  function placeOf({ reachedAt, pushes }: NodeState, { node, mesh }: BundleContent): PushTarget {
    return reachedAt && pushes % 2 === 1 ? reachedAt : { address: node.address, port: mesh.ports.sync }
  }

  async function pushTo(node: string, state: NodeState, to: PushTarget, bytes: Uint8Array, signal: AbortSignal) {
    const late = new AbortController()
    const timer = clock.after(PUSH_TIMEOUT_MS, () => late.abort(new Error('timed out')))
    try {
      await options.push(to, bytes, AbortSignal.any([signal, late.signal]))
      state.reachedAt = to
    } catch (error) {
      log.debug({ node, ...to, error: String(error) }, 'a bundle could not be pushed')
    } finally {
      timer.cancel()
    }
  }
}
