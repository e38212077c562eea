// The agent of one node. It obeys authenticated commands and signed bundles, reports what is so, and goes on alone
// when nobody speaks to it (law 4). Stopping it leaves tunnels and VMs as they are.
import type { NodeIdentity } from '../api/v1alpha1/node.ts'
import type { Clock, Timer } from '../base/clock.ts'
import type { Files } from '../base/files.ts'
import type { Logger } from '../base/log.ts'
import { type RandomBytes, randomId } from '../base/random.ts'
import type { Transport } from '../base/transport.ts'
import type { HeldBundle, NodeReport } from '../protocol/telemetry/report.ts'
import type { WireVersions } from '../protocol/versions.ts'
import { importBundle } from './bundles/import.ts'
import type { Drivers } from './drivers/host.ts'
import { openNodeState } from './durable/node-state.ts'
import { initAgentKeys, publicHalves } from './keys/agent-keys.ts'
import { loadPins } from './keys/pins.ts'
import { type EnrolledNode, startNode } from './node.ts'
import { serialQueue } from './timing/serial.ts'

/** How often a file given by `ppn agent import` is looked for. */
const IMPORT_EVERY_MS = 1_000

export interface AgentOptions {
  /** The agent's own folder: keys, pins, bundles, marks, fence, sidecars. */
  files: Files
  transport: Transport
  clock: Clock
  random: RandomBytes
  log: Logger
  drivers: Drivers
  /** As telemetry reports it. */
  version: string
  /** 32 hex digits; random when absent. Never one that was used before. */
  bootId?: string
  /** What this agent reads and writes; the built-in tables when absent. */
  versions?: WireVersions
}

export interface Agent {
  /** What an operator declares in Node.spec.identity. */
  readonly identity: NodeIdentity
  readonly bootId: string
  /** Undefined until the node's first bundle. */
  report(): NodeReport | undefined
  /** Milliseconds since the agent's own loop, which comes round every second, last did: what a watchdog asks. */
  beatAgeMs(): number
  /** As `ppn agent import` does, and takes it at once. Throws what importBundle throws. */
  importBundle(text: string, options?: { authorityFingerprint?: string }): Promise<HeldBundle>
  /** Resolves when everything has ended. Tunnels and VMs stay. */
  stop(): Promise<void>
}

/** Resolves when the node lives by its applied bundle, or waits for its first one. Makes the keys if there are none. */
export async function startAgent(given: AgentOptions): Promise<Agent> {
  const options = { ...given, bootId: given.bootId ?? randomId(given.random) }
  const { files, clock, log } = options
  const keys = await initAgentKeys(files, options.random)
  const state = await openNodeState(files)
  const ending = new AbortController()
  const inTurn = serialQueue()
  let node: EnrolledNode | undefined
  let timer: Timer | undefined

  const enrol = async (): Promise<void> => {
    const pins = await loadPins(files)
    if (pins) node = await startNode(options, pins, keys, state, ending.signal)
  }
  const takeImport = (): Promise<void> =>
    inTurn(async () => {
      if (ending.signal.aborted) return
      if (!node) await enrol()
      await node?.takeImport()
    })
  let beatMs = clock.monotonic()
  const beat = () => {
    takeImport()
      .catch((error) => log.error({ err: String(error) }, 'looking for an imported bundle failed'))
      .finally(() => {
        beatMs = clock.monotonic()
        if (!ending.signal.aborted) timer = clock.after(IMPORT_EVERY_MS, beat)
      })
  }
  await takeImport()
  timer = clock.after(IMPORT_EVERY_MS, beat)

  return {
    identity: publicHalves(keys),
    bootId: options.bootId,
    report: () => node?.report(),
    beatAgeMs: () => clock.monotonic() - beatMs,
    async importBundle(text, how) {
      const held = await importBundle(files, text, { ...how, versions: options.versions?.bundle })
      await takeImport()
      return held
    },
    async stop() {
      ending.abort(new Error('the agent stops'))
      timer?.cancel()
      await inTurn(async () => node?.closed())
    },
  }
}
