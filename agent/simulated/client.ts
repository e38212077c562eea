// A simulated fleet as the process that starts it sees it: `ppn up --simulate` loads this file, and nothing of the
// agent with it. The nodes live in processes apart, end with this one, and keep their folders for the next time.
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import type { NodeIdentity } from '../../api/v1alpha1/node.ts'
import { diskFiles } from '../../base/disk-files.ts'
import { PpnError } from '../../base/errors.ts'
import type { Logger } from '../../base/log.ts'
import type { HeldBundle, NodeReport } from '../../protocol/telemetry/report.ts'
import type { GuestBehaviour } from '../drivers/vm/simulated-guest.ts'
import type { NodeSettings, Verb } from './control.ts'
import type { GateCounts } from './gate.ts'
import { type HostProcess, startHostProcess } from './host-process.ts'
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
}

export interface Simulation {
  names(): string[]
  /** Adds a node and starts it, as at the start of the simulation. */
  add(node: SimulatedFleetNode): Promise<void>
  identity(node: string): Promise<NodeIdentity>
  /** Throws what the agent's import throws, e.g. AuthorityFingerprintDiffers. */
  import(node: string, armored: string, authorityFingerprint?: string): Promise<HeldBundle>
  kill(node: string, what?: 'agent' | 'machine'): Promise<void>
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
}

/** Resolves when every node has started. Nothing is left behind when it rejects. */
export async function startSimulation(options: SimulationOptions): Promise<Simulation> {
  const { log, signal, logLevel = 'info' } = options
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
    const host = { process: spawn(number), number, nodes: new Map<string, NodeSettings>() }
    hosts.push(host)
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
    if (hostOf.has(node.name)) return
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
    return (await lookUp(node).process.call(node, verb, given)) as T
  }
  const revive = async (host: Host) => {
    log.info({ nodes: [...host.nodes.keys()] }, 'a process of simulated nodes has ended and starts again')
    host.process = spawn(host.number)
    await Promise.all([...host.nodes].map(([name, settings]) => host.process.call(name, 'create', [settings])))
  }
  const stop = async () => {
    signal.removeEventListener('abort', onAbort)
    await Promise.all(hosts.map((host) => host.process.stop()))
  }
  const onAbort = () => void stop()
  signal.addEventListener('abort', onAbort, { once: true })

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
