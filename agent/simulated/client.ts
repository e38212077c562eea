// A simulated fleet as the process that starts it sees it: `ppn up --simulate` loads this file, and nothing of the
// agent with it. The nodes live in processes apart, end with this one, and keep their folders for the next time.
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import type { NodeIdentity } from '../../api/v1alpha1/node.ts'
import { type Clock, systemClock } from '../../base/clock.ts'
import { diskFiles } from '../../base/disk-files.ts'
import { PpnError } from '../../base/errors.ts'
import type { Logger } from '../../base/log.ts'
import type { HeldBundle, NodeReport } from '../../protocol/telemetry/report.ts'
import type { GuestBehaviour } from '../drivers/vm/simulated-guest.ts'
import type { NodeSettings, Verb } from './control.ts'
import type { GateCounts } from './gate.ts'
import { type HostProcess, startHostProcess } from './host-process.ts'
import { keepAlive } from './keep-alive.ts'
import { fileWorld, learnEndpoint } from './world.ts'

interface SimulatedFleetNode {
  name: string
  /** Mesh address; its machine stands at 127.b.c.d. */
  address: string
  /** host:port as declared now: remembered at the first start of the node, and never changed afterwards. */
  endpoint?: string
  capacity?: { memoryMiB: number; cpus: number }
}

export interface SimulationOptions {
  /** Kept between runs: `world.json`, `nodes/<name>/`, `log/`. */
  folder: string
  nodes: readonly SimulatedFleetNode[]
  log: Logger
  /** Stops the simulation when it aborts. */
  signal: AbortSignal
  /** Nodes a process: default 1 up to 8 nodes, else 64. */
  perProcess?: number
  /** Where image files of archives may be read from, e.g. the fleet's folder. */
  imageFolder?: string
  /** Mesh.ports.telemetry, for `cutTelemetry`. Default 8091. */
  telemetryPort?: number
  /** Version that the agents report. */
  version?: string
  /** Of the agents' logs in `log/`. Default info. */
  logLevel?: string
  clock?: Clock
  /** A process of nodes ended by itself and starts again after so long, or could not be started. */
  onEnd?(nodes: string[], why: { pauseMs: number } | { error: Error }): void
}

export interface Simulation {
  names(): string[]
  /** Adds a node and starts it, as at the start of the simulation. */
  add(node: SimulatedFleetNode): Promise<void>
  identity(node: string): Promise<NodeIdentity>
  /** Throws what the agent's import throws, e.g. AuthorityFingerprintDiffers. */
  import(node: string, armored: string, authorityFingerprint?: string): Promise<HeldBundle>
  kill(node: string, what?: 'agent' | 'machine'): Promise<void>
  /** Ends its agent for good; `add` brings it back. */
  dismiss(node: string): Promise<void>
  /** Also when its process has ended: then all nodes of that process start again. */
  restart(node: string, what?: 'agent' | 'machine'): Promise<void>
  alive(node: string): Promise<boolean>
  cutTelemetry(node: string, on: boolean): Promise<void>
  setClockSynchronised(node: string, synchronised: boolean): Promise<void>
  setDiskCapacity(node: string, mib: number): Promise<void>
  guest(node: string, which: string, behaviour: GuestBehaviour): Promise<void>
  report(node: string): Promise<NodeReport | undefined>
  refusedByGate(node: string): Promise<GateCounts>
  /** The process a node lives in. */
  pid(node: string): number | undefined
  /** Ends every process; resolves when they are gone. VMs go on, by the clock, until the next start. */
  stop(): Promise<void>
}

const SMALL_FLEET = 8
const LARGE_PER_PROCESS = 64

interface Host {
  process: HostProcess
  number: number
  nodes: Map<string, NodeSettings>
  /** In the process, and not to be started with it again. */
  dismissed: Set<string>
  /** One at a time, whoever asks. */
  reviving?: Promise<void>
}

/** Resolves when every node has started. Nothing is left behind when it rejects. */
export async function startSimulation(options: SimulationOptions): Promise<Simulation> {
  const { log, logLevel = 'info', clock = systemClock(), onEnd = () => {} } = options
  const ending = new AbortController()
  const signal = AbortSignal.any([options.signal, ending.signal])
  signal.throwIfAborted()
  const folder = path.resolve(options.folder)
  const world = fileWorld(diskFiles(folder))
  const perProcess = options.perProcess ?? (options.nodes.length <= SMALL_FLEET ? 1 : LARGE_PER_PROCESS)
  const hosts: Host[] = []
  const hostOf = new Map<string, Host>()
  await mkdir(path.join(folder, 'log'), { recursive: true, mode: 0o700 })

  const spawn = (number: number) =>
    startHostProcess({ logFile: path.join(folder, 'log', `host-${number}.log`), logLevel })
  const hostWithRoom = (): Host => {
    const last = hosts.at(-1)
    if (last && last.nodes.size < perProcess) return last
    const number = hosts.length + 1
    const host: Host = { process: spawn(number), number, nodes: new Map(), dismissed: new Set() }
    hosts.push(host)
    watch(host)
    return host
  }
  const settingsOf = (node: SimulatedFleetNode): NodeSettings => ({
    folder: path.join(folder, 'nodes', node.name),
    worldFolder: folder,
    address: node.address,
    behindNat: node.endpoint === undefined,
    ...(node.capacity && { capacity: node.capacity }),
    ...(options.imageFolder !== undefined && { imageFolder: path.resolve(options.imageFolder) }),
    ...(options.telemetryPort !== undefined && { telemetryPort: options.telemetryPort }),
    ...(options.version !== undefined && { version: options.version }),
  })
  const add = async (node: SimulatedFleetNode) => {
    const known = hostOf.get(node.name)
    if (known?.dismissed.delete(node.name)) {
      known.nodes.set(node.name, settingsOf(node))
      await known.process.call(node.name, 'restart', [])
    }
    if (known) return
    // Before the first wait, so that nodes added at once are spread over the processes as they come.
    const host = hostWithRoom()
    const settings = settingsOf(node)
    host.nodes.set(node.name, settings)
    hostOf.set(node.name, host)
    if (node.endpoint !== undefined) await learnEndpoint(world, node.endpoint, node.address)
    await host.process.call(node.name, 'create', [settings])
  }
  const lookUp = (node: string): Host => {
    const host = hostOf.get(node)
    if (!host) throw new PpnError('SimulatedNodeUnknown', { node })
    return host
  }
  const call = async <T>(node: string, verb: Verb, ...args: unknown[]): Promise<T> => {
    // JSON would make null of an argument that was not given.
    const given = args.filter((arg) => arg !== undefined)
    const host = lookUp(node)
    // Its process is there again, the node in it perhaps not yet.
    await host.reviving
    return (await host.process.call(node, verb, given)) as T
  }
  const revive = (host: Host): Promise<void> => {
    host.reviving ??= reviveNow(host).finally(() => {
      host.reviving = undefined
    })
    return host.reviving
  }
  const reviveNow = async (host: Host) => {
    if (host.process.alive()) return
    host.process = spawn(host.number)
    for (const name of host.dismissed) hostOf.delete(name)
    host.dismissed.clear()
    const created = [...host.nodes].map(([name, settings]) => host.process.call(name, 'create', [settings]))
    await Promise.all(created)
  }
  /** A process that ended by itself is nobody's wish: only a person who ends the simulation ends it. */
  const watch = (host: Host) =>
    void keepAlive(
      {
        clock,
        ended: () => host.process.gone,
        start: () => revive(host),
        onEnd(pauseMs) {
          const nodes = [...host.nodes.keys()]
          log.warn({ nodes, pauseMs }, 'a process of simulated nodes has ended and starts again')
          onEnd(nodes, { pauseMs })
        },
        onFailure: (error) => onEnd([...host.nodes.keys()], { error: error as Error }),
      },
      signal,
    )
  const stop = async () => {
    options.signal.removeEventListener('abort', onAbort)
    ending.abort(new Error('the simulation ends'))
    await Promise.all(hosts.map((host) => host.process.stop()))
  }
  const onAbort = () => void stop()
  options.signal.addEventListener('abort', onAbort, { once: true })

  try {
    await Promise.all(options.nodes.map(add))
  } catch (error) {
    await stop()
    throw error
  }
  return {
    names: () => [...hostOf.keys()],
    add,
    identity: (node) => call(node, 'identity'),
    import: (node, armored, authorityFingerprint) => call(node, 'import', armored, authorityFingerprint),
    kill: (node, what) => call(node, 'kill', what),
    dismiss: async (node) => {
      const host = lookUp(node)
      host.nodes.delete(node)
      host.dismissed.add(node)
      await call(node, 'kill')
    },
    restart: async (node, what) => {
      const host = lookUp(node)
      if (host.process.alive()) await call(node, 'restart', what)
      else await revive(host)
    },
    alive: async (node) => {
      const { process } = lookUp(node)
      try {
        return process.alive() && (await call<boolean>(node, 'alive'))
      } catch (error) {
        // It may end while it is asked; then that is the answer.
        if (process.alive()) throw error
        return false
      }
    },
    cutTelemetry: (node, on) => call(node, 'cutTelemetry', on),
    setClockSynchronised: (node, synchronised) => call(node, 'setClockSynchronised', synchronised),
    setDiskCapacity: (node, mib) => call(node, 'setDiskCapacity', mib),
    guest: (node, which, behaviour) => call(node, 'guest', which, behaviour),
    report: (node) => call(node, 'report'),
    refusedByGate: (node) => call(node, 'refusedByGate'),
    pid: (node) => lookUp(node).process.pid,
    stop,
  }
}
