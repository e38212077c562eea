// A simulated machine for every declared Node: made when it has an address, enrolled, given its first bundle as a
// person would by `ppn agent import`, and stopped when the Node is gone.

import { type Simulation, startSimulation } from '../../agent/simulated/client.ts'
import { keyOf } from '../../api/meta.ts'
import type { PpnObject } from '../../api/v1alpha1/index.ts'
import type { Standalone } from '../../authority/main/standalone.ts'
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'

export interface SimulateOptions {
  standalone: Standalone
  /** Where machines and agents keep what they keep. */
  folder: string
  fleet: string
  clock: Clock
  log: Logger
  version: string
  say(line: string): void
}

/** The bundle is there as soon as the Node has been reconciled after its enrolment. */
const LOOK_AGAIN_MS = 50
/** A machine that could not be set up is tried again after so long, then after twice that, and so on. */
const FIRST_RETRY_MS = 1_000
const LONGEST_RETRY_MS = 60_000

export async function simulateFleet(options: SimulateOptions, signal: AbortSignal): Promise<{ stop(): Promise<void> }> {
  const { standalone, clock, log } = options
  const { store, registry } = standalone.authority.world
  const { allocator } = standalone.authority
  const begun = new Set<string>()
  const retryMs = new Map<string, number>()
  let simulation: Promise<Simulation> | undefined

  // Nodes that are known from the start share one call, so that a large fleet is spread over few processes.
  const start = (nodes: readonly PpnObject<'Node'>[]) =>
    startSimulation({
      folder: options.folder,
      nodes: nodes.map(machineOf),
      log,
      signal,
      clock,
      onEnd: (names, why) => {
        const who = names.map((name) => keyOf('Node', name)).join(', ')
        if ('error' in why) return options.say(`${who}: the simulated machine does not start: ${why.error.message}`)
        options.say(`${who}: the simulated machine’s process ended; it starts again in ${why.pauseMs / 1000} s`)
      },
      imageFolder: options.fleet,
      version: options.version,
      telemetryPort: store.list('Mesh')[0]?.spec.ports.telemetry,
    })
  const machineOf = (node: PpnObject<'Node'>) => ({
    name: node.metadata.name,
    address: allocator.addressOf(node.metadata.uid) as string,
    ...(node.spec.endpoint !== undefined && { endpoint: node.spec.endpoint }),
  })
  const fit = (node: PpnObject<'Node'>): boolean => {
    const { name, deletionTimestamp, uid } = node.metadata
    if (begun.has(name) || deletionTimestamp !== undefined || allocator.addressOf(uid) === undefined) return false
    if (node.spec.identity === undefined) return true
    begun.add(name)
    options.say(`${name} declares keys of its own: no machine is simulated for it`)
    return false
  }
  const firstBundle = async (name: string) => {
    for (;;) {
      try {
        return await standalone.backend.bundle(name)
      } catch (error) {
        if (signal.aborted) throw error
        await clock.sleep(LOOK_AGAIN_MS, signal)
      }
    }
  }
  /** Public keys of a machine that is not enrolled with them, or has lost its bundle since. */
  const unprovisioned = async (running: Simulation, name: string) => {
    const identity = await running.identity(name)
    const enrolled = registry.of(name)?.identity.signingPublicKey === identity.signingPublicKey
    // A machine that was enrolled in an earlier run has its bundle still.
    if (enrolled && (await running.report(name)) !== undefined) return undefined
    if (!enrolled) await standalone.backend.enrol(name, identity)
    return name
  }
  const giveBundle = async (running: Simulation, name: string) => {
    const { armored, fingerprint } = await firstBundle(name)
    await running.import(name, armored, fingerprint)
  }
  /** All are enrolled before the first gets its bundle: a hub's bundle then changes once, not once a spoke. */
  const provisionAll = async (simulation: Promise<Simulation>, nodes: readonly PpnObject<'Node'>[], add: boolean) => {
    const names = nodes.map((node) => node.metadata.name)
    const each = <T>(act: (name: string) => Promise<T>, of: readonly string[] = names) =>
      Promise.all(of.map((name) => act(name).catch((error) => void complain(name)(error))))
    try {
      const running = await simulation
      if (add) await Promise.all(nodes.map((node) => running.add(machineOf(node))))
      const bare = (await each((name) => unprovisioned(running, name))).filter((name) => name !== undefined)
      // And until what follows from the enrolments has been reconciled, so that nobody's first bundle is an old one.
      while (bare.length > 0 && !standalone.backend.health().idle) await clock.sleep(LOOK_AGAIN_MS, signal)
      await each((name) => giveBundle(running, name), bare)
      for (const name of names) if (begun.has(name)) retryMs.delete(name)
    } catch (error) {
      for (const name of names) complain(name)(error)
    }
  }
  const complain = (name: string) => (error: unknown) => {
    if (signal.aborted) return
    begun.delete(name)
    const pauseMs = retryMs.get(name) ?? FIRST_RETRY_MS
    retryMs.set(name, Math.min(pauseMs * 2, LONGEST_RETRY_MS))
    clock.sleep(pauseMs, signal).then(scheduleLook, () => {})
    const { message } = error as Error
    log.error({ node: name, pauseMs, error: message }, 'the simulated machine could not be set up, trying again')
    options.say(
      `${keyOf('Node', name)}: the simulated machine could not be set up: ${message}; again in ${pauseMs / 1000} s`,
    )
  }
  const look = () => {
    const fresh = store.list('Node').filter(fit)
    if (fresh.length === 0 || signal.aborted) return
    for (const node of fresh) begun.add(node.metadata.name)
    const before = simulation
    const running = before ?? start(fresh)
    simulation = running
    running.catch(() => {
      // Nothing of it is left; the next look starts another.
      if (simulation === running) simulation = undefined
    })
    void provisionAll(running, fresh, before !== undefined)
  }
  const off = store.subscribe((event) => {
    if (event.type === 'removed' && event.object.kind === 'Node') {
      const { name } = event.object.metadata
      // The machine goes on in its owner's hands; here its agent ends with its Node.
      if (begun.delete(name)) simulation?.then((running) => running.dismiss(name)).catch(complain(name))
    }
    if (event.type === 'upsert' && event.object.kind === 'Node') scheduleLook()
  })
  // One turn later, so that all addresses of one reading are there together.
  let scheduled = false
  const scheduleLook = () => {
    if (scheduled) return
    scheduled = true
    clock.after(LOOK_AGAIN_MS, () => {
      scheduled = false
      look()
    })
  }
  scheduleLook()
  options.say('starting simulated machines; a new node has no keys before its machine has made them')
  return {
    async stop() {
      off()
      await (await simulation?.catch(() => undefined))?.stop()
    },
  }
}
