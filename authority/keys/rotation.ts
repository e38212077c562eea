// Rotates the keys of nodes, one node at a time, hubs last; what is wanted lies in the records, so that the next authority
// goes on where this one ended.
import type { NodeIdentity } from '../../api/v1alpha1/node.ts'
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import type { Bundles } from '../../controllers/ports/bundles.ts'
import type { Commands } from '../../controllers/ports/commands.ts'
import type { Fleet } from '../../controllers/ports/fleet.ts'
import type { RecordStore } from '../../controllers/ports/store.ts'
import { OP } from '../../protocol/command/ops.ts'
import type { Slot } from '../../protocol/ids.ts'
import type { Audit } from '../audit.ts'
import type { NodeRegistry } from '../registry/registry.ts'
import { nextRekeyStep, type Offer, type Rekey, type RekeyFacts, USES } from './rotation-plan.ts'

const PREFIX = 'rekey/'
const LOOK_EVERY_MS = 1_000
const SAID = {
  offer: 'its next key is known',
  identity: 'its next key is put to use',
  done: 'its next key works',
} as const
/** A node that was begun and has got no further for so long keeps the others waiting no longer. */
const STUCK_MS = 120_000

export interface RotationOptions {
  clock: Clock
  log: Logger
  records: RecordStore
  registry: Pick<NodeRegistry, 'of' | 'rekey'>
  fleet: Pick<Fleet, 'view' | 'subscribe'>
  commands: Pick<Commands, 'want'>
  bundles: Pick<Bundles, 'state' | 'retry'>
  audit: Pick<Audit, 'durable'>
  /** Undefined: no such Node. */
  uidOf(node: string): string | undefined
  /** Every node that is on the mesh. */
  nodes(): readonly { node: string; hub: boolean }[]
  /** The node's keys, as others see them, may be others now. */
  changed(node: string): void
}

export interface RotationState {
  node: string
  state: 'waiting' | 'working' | 'done' | 'failed'
  /** What is under way, or why it failed. */
  why?: string
}

export interface Rotation {
  /** Durable when resolved; what is under way already goes on. */
  ask(nodes: readonly string[]): Promise<void>
  /** Of every node that was ever asked for, in the order in which it is done. */
  states(): RotationState[]
  /** A command key beside the registered one under which the node may still, or already, speak. */
  otherCommandKey(node: string): string | undefined
  /** A frame of this node came under this command key. */
  heardUnder(node: string, publicKey: string): void
  start(signal: AbortSignal): void
}

export function createRotation(options: RotationOptions): Rotation {
  const { clock, log, records, registry, fleet, commands, bundles, audit } = options
  const heard = new Map<string, string>()
  const why = new Map<string, string>()
  const asked = new Set<string>()
  /** Clock.monotonic() of the last step that was none of waiting. */
  const movedMs = new Map<string, number>()
  let active: string | undefined
  let busy = false

  const keyOf = (node: string) => PREFIX + (options.uidOf(node) ?? '')
  const read = (node: string) => records.get(keyOf(node))?.value as Rekey | undefined
  async function write(node: string, rekey: Rekey): Promise<void> {
    await records.put(keyOf(node), rekey, records.get(keyOf(node))?.version ?? 0)
    options.changed(node)
  }
  /** Spokes by name, then hubs: a hub's key concerns everybody. */
  const open = (): Rekey[] => {
    const hubs = new Map(options.nodes().map(({ node, hub }) => [node, hub]))
    return records
      .list(PREFIX)
      .map(({ value }) => value as Rekey)
      .filter(({ node }) => hubs.has(node) && registry.of(node))
      .sort((a, b) => Number(hubs.get(a.node)) - Number(hubs.get(b.node)) || (a.node < b.node ? -1 : 1))
  }

  function factsOf(rekey: Rekey, identity: NodeIdentity): RekeyFacts {
    const { node } = rekey
    const all = options.nodes()
    const isFresh = (name: string) => fleet.view(name).liveness === 'Fresh'
    const { report } = fleet.view(node)
    const hub = all.some((one) => one.node === node && one.hub)
    const otherHub = all.some((one) => one.node !== node && one.hub)
    // A spoke's key is news for the hubs alone; a hub's for everybody, unless there is another way in.
    const concerned = all.filter((one) => one.node !== node && (one.hub || (hub && !otherHub)))
    const { commandPublicKey: command, wireguardPublicKey: wireguard } = report?.pendingKeys ?? {}
    return {
      rekey,
      identity,
      ...(isFresh(node) &&
        report && {
          shown: {
            pending: { ...(command !== undefined && { command }), ...(wireguard !== undefined && { wireguard }) },
            ...(report.interface && { interfaceKey: report.interface.publicKey }),
          },
        }),
      ...(heard.has(node) && { heardUnder: heard.get(node) as string }),
      bundle: bundles.state(node).stage,
      anyReverted: rekey.offer !== undefined && concerned.some((one) => bundles.state(one.node).stage === 'Reverted'),
      deaf: concerned.filter((one) => !isFresh(one.node)).map((one) => one.node),
      nowMs: clock.now(),
    }
  }

  const want = (node: string, value: number | undefined): void => {
    if (value === undefined && !asked.delete(node)) return
    if (value !== undefined) asked.add(node)
    commands.want(`Rotation/${node}`, node, value === undefined ? [] : [{ op: OP.REKEY, slot: 0 as Slot, value }])
  }

  /** One step of one node; false: it waits, and another may go first. */
  async function advance(rekey: Rekey): Promise<boolean> {
    const { node } = rekey
    const identity = registry.of(node)?.identity
    if (!identity) return false
    const step = nextRekeyStep(factsOf(rekey, identity))
    why.set(node, 'why' in step ? step.why : step.do === 'ask' ? `REKEY ${step.use} is on its way` : SAID[step.do])
    if (step.do !== 'ask' && step.do !== 'wait') movedMs.set(node, clock.monotonic())
    if (step.do !== 'ask') want(node, undefined)
    const { offer, ...rest } = rekey
    switch (step.do) {
      case 'wait':
        return clock.monotonic() - (movedMs.get(node) ?? Number.NEGATIVE_INFINITY) < STUCK_MS
      case 'ask':
        want(node, 1 + USES.indexOf(step.use))
        return true
      case 'offer':
        heard.delete(node)
        await write(node, { ...rest, offer: step.offer })
        return true
      case 'identity':
        await registry.rekey(node, step.identity)
        await audit.durable('confirmation', { what: 'rekey', node, use: offer?.use })
        // A bundle that names this very key may have been gone back from before: a person asked for it again.
        if (offer?.use === 'wireguard') retryOnce(node, offer)
        return true
      case 'done': {
        const todo = rest.todo.filter((use) => use !== step.use)
        await write(node, { ...rest, todo, ...(todo.length === 0 && { endedMs: clock.now() }) })
        log.info({ node, use: step.use }, 'a key was rotated')
        return true
      }
      case 'failed': {
        await registry.rekey(node, step.identity)
        const failed = { use: step.use, why: step.why, ...(offer && { offer }) }
        await write(node, { ...rest, failed, endedMs: clock.now() })
        await audit.durable('refusal', { what: 'rekey', node, use: step.use, why: step.why })
        log.warn({ node, use: step.use, why: step.why }, 'a key was not rotated: the old one stays')
        return false
      }
    }
  }

  function retryOnce(node: string, offer: Offer): void {
    clock.after(LOOK_EVERY_MS / 2, () => {
      if (read(node)?.offer?.sinceMs === offer.sinceMs) bundles.retry(node)
    })
  }

  async function look(): Promise<void> {
    if (busy) return
    busy = true
    try {
      const waiting = open().filter(({ endedMs }) => endedMs === undefined)
      const begun = (rekey: Rekey) => rekey.offer !== undefined || rekey.todo.length < USES.length
      const order = [...waiting.filter(begun), ...waiting.filter((rekey) => !begun(rekey))]
      active = undefined
      for (const { node } of order) {
        const rekey = read(node)
        if (!rekey || !(await advance(rekey))) continue
        active = node
        break
      }
    } catch (error) {
      log.error({ error: String(error) }, 'keys could not be rotated')
    } finally {
      busy = false
    }
  }

  return {
    async ask(nodes) {
      for (const node of nodes) {
        const before = read(node)
        if (before && before.endedMs === undefined) continue
        await write(node, { node, askedMs: clock.now(), todo: [...USES] })
      }
      await audit.durable('confirmation', { what: 'rotate keys', nodes })
    },
    states: () =>
      open().map(({ node, endedMs, failed }) => {
        if (failed) return { node, state: 'failed', why: `${failed.use} key: ${failed.why}; the old one stays` }
        if (endedMs !== undefined) return { node, state: 'done' }
        return { node, state: node === active ? 'working' : 'waiting', why: why.get(node) ?? 'waits for its turn' }
      }),
    otherCommandKey(node) {
      const rekey = read(node)
      const offer = rekey?.offer ?? rekey?.failed?.offer
      if (offer?.use !== 'command') return undefined
      return registry.of(node)?.identity.commandPublicKey === offer.publicKey ? offer.former : offer.publicKey
    },
    heardUnder(node, publicKey) {
      heard.set(node, publicKey)
      // It took the key after all, when that was thought to have failed: then it speaks under no other.
      const rekey = read(node)
      const identity = registry.of(node)?.identity
      if (!identity || rekey?.failed?.offer?.publicKey !== publicKey || identity.commandPublicKey === publicKey) return
      void registry.rekey(node, { ...identity, commandPublicKey: publicKey })
    },
    start(signal) {
      const beat = (): void => {
        void look().finally(() => {
          if (!signal.aborted) timer = clock.after(LOOK_EVERY_MS, beat)
        })
      }
      let timer = clock.after(LOOK_EVERY_MS, beat)
      signal.addEventListener('abort', () => timer.cancel(), { once: true })
    },
  }
}
