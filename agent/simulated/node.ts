// One simulated machine and its agent. The machine (hypervisor, WireGuard, disks) stays when the agent is killed, as
// kernel and QEMU do; a power cut takes the machine as well. The agent is the real one, on simulated drivers.
import type { NodeIdentity } from '../../api/v1alpha1/node.ts'
import type { Clock } from '../../base/clock.ts'
import type { Files } from '../../base/files.ts'
import type { Logger } from '../../base/log.ts'
import type { RandomBytes } from '../../base/random.ts'
import type { Transport } from '../../base/transport.ts'
import type { HeldBundle, NodeReport } from '../../protocol/telemetry/report.ts'
import type { WireVersions } from '../../protocol/versions.ts'
import { type Agent, startAgent } from '../agent.ts'
import { importBundle } from '../bundles/import.ts'
import { simulatedCgroupDriver } from '../drivers/cgroup/simulated.ts'
import { HOST_CAPACITY } from '../drivers/figures.ts'
import type { Drivers } from '../drivers/host.ts'
import { type SimulatedImageOptions, simulatedImageDriver } from '../drivers/image/simulated.ts'
import { simulatedHostDriver } from '../drivers/simulated-host.ts'
import { simulatedVmDriver } from '../drivers/vm/simulated.ts'
import type { GuestBehaviour } from '../drivers/vm/simulated-guest.ts'
import { openMachine } from '../drivers/vm/simulated-machine.ts'
import { simulatedWireGuard } from '../drivers/wireguard/simulated.ts'
import { initAgentKeys, publicHalves } from '../keys/agent-keys.ts'
import { type GateCounts, gatedTransport } from './gate.ts'
import { beginLife, type Life, mortal, mortalClock, mortalTransport } from './mortal.ts'

export interface SimulatedNodeOptions {
  /** Where the machine stands: the mesh address it was made for. */
  address: string
  /** The node's folder: `agent/` is the agent's, `machine/` the simulation's. */
  files: Files
  /** The network between the machines; the mesh over it is the gate's work. */
  transport: Transport
  clock: Clock
  random: RandomBytes
  log: Logger
  /** Declared endpoint to the address of the machine really there (world.ts). */
  resolve(endpoint: string): Promise<string | undefined>
  /** Default true; a machine with an endpoint of its own is not. */
  behindNat?: boolean
  capacity?: { memoryMiB: number; cpus: number }
  /** The port that `cutTelemetry` closes; default 8091. */
  telemetryPort?: number
  readImage?: SimulatedImageOptions['readImage']
  /** As telemetry reports it. */
  version?: string
  /** Asked for at every start of the agent: another program may be installed by then. */
  versions?(): WireVersions | undefined
  /** Stands between the agent and its drivers, so that a test sees what is asked of them. */
  watchDrivers?(drivers: Drivers): Drivers
}

export interface SimulatedNode {
  /** Starts the agent; resolves when it lives by its bundle or waits for one. No-op while it runs. */
  start(): Promise<void>
  /** Is there an agent? */
  alive(): boolean
  /** Public halves of the node's keys, made at the first call or start. */
  identity(): Promise<NodeIdentity>
  /** `ppn agent import` on this node, running or not. Throws what the agent's import throws. */
  import(armored: string, authorityFingerprint?: string): Promise<HeldBundle>
  /**
   * At once: sockets closed, memory lost, no goodbye. `agent`: the process alone. `machine`: the power, so VMs and
   * tunnels are gone as well.
   */
  kill(what?: 'agent' | 'machine'): Promise<void>
  /** Kills what runs, then starts. */
  restart(what?: 'agent' | 'machine'): Promise<void>
  /** Nothing leaves for the telemetry port while this is on. */
  cutTelemetry(on: boolean): void
  setClockSynchronised(synchronised: boolean): void
  /** Room for disks, MiB. */
  setDiskCapacity(mib: number): void
  /** Makes a guest behave: `*`, an archive's id, or its name as the agent reports it. */
  guest(which: string, behaviour: GuestBehaviour): Promise<void>
  /** What the agent would report now; undefined before its first bundle or while it is dead. */
  report(): NodeReport | undefined
  refusedByGate(): GateCounts
  /** Ends the agent in good order, then the machine. VMs go on, by the clock, for the next one to open the folder. */
  stop(): Promise<void>
}

const TELEMETRY_PORT = 8091

/** The machine stands when this resolves; its agent is not started yet. */
export async function simulatedNode(options: SimulatedNodeOptions): Promise<SimulatedNode> {
  const { address, files, transport, clock, random, log, behindNat = true } = options
  const { memoryMiB, cpus } = options.capacity ?? HOST_CAPACITY
  const agentFiles = files.sub('agent')
  const machineFiles = files.sub('machine')
  const machine = await openMachine({ files: machineFiles, clock, cpus })
  const wireguard = simulatedWireGuard({ transport, clock, log, address, behindNat, resolve: options.resolve })
  const gate = gatedTransport(transport, wireguard, { clock })
  const host = simulatedHostDriver(machine, memoryMiB)
  const image = simulatedImageDriver({
    files: machineFiles.sub('disks'),
    clock,
    ...(options.readImage && { readImage: options.readImage }),
  })
  const own: Drivers = {
    wireguard,
    vm: simulatedVmDriver(machine),
    cgroup: simulatedCgroupDriver(machine),
    image,
    host,
  }
  const drivers = options.watchDrivers?.(own) ?? own
  let running: { life: Life; agent: Agent | undefined; started: Promise<void> } | undefined

  const start = (): Promise<void> => {
    if (running) return running.started
    const life = beginLife()
    const begun = startAgent({
      files: mortal(agentFiles, life),
      transport: mortalTransport(gate, life),
      clock: mortalClock(clock, life),
      random,
      log: mortal(log, life),
      drivers: mortal(drivers, life),
      version: options.version ?? 'simulated',
      versions: options.versions?.(),
    })
    const started = orKilled(life, begun).then(
      (agent) => {
        if (running?.life === life) running.agent = agent
      },
      (error) => {
        // An agent that cannot start leaves nothing behind, so that the next attempt is a fresh one.
        life.die()
        if (running?.life === life) running = undefined
        throw error
      },
    )
    running = { life, agent: undefined, started }
    return started
  }
  const kill = async (what: 'agent' | 'machine' = 'agent'): Promise<void> => {
    running?.life.die()
    running = undefined
    if (what === 'agent') return
    wireguard.powerCut()
    await machine.powerCut()
  }
  const archiveId = (which: string): string => {
    if (which === '*' || /^[0-9a-f]{32}$/.test(which)) return which
    const archive = running?.agent?.report()?.archives.find(({ name }) => name === which)
    if (!archive) throw new Error(`no archive ${which} on this node`)
    return archive.id
  }

  return {
    start,
    alive: () => running !== undefined,
    identity: async () => running?.agent?.identity ?? publicHalves(await initAgentKeys(agentFiles, random)),
    import: async (armored, authorityFingerprint) => {
      const how = authorityFingerprint === undefined ? {} : { authorityFingerprint }
      await running?.started
      if (!running?.agent) return importBundle(agentFiles, armored, { ...how, versions: options.versions?.()?.bundle })
      return orKilled(running.life, running.agent.importBundle(armored, how))
    },
    kill,
    restart: async (what) => {
      await kill(what)
      await start()
    },
    cutTelemetry: (on) => gate.block(options.telemetryPort ?? TELEMETRY_PORT, on),
    setClockSynchronised: host.setClockSynchronised,
    setDiskCapacity: image.setCapacity,
    guest: async (which, behaviour) => machine.script(archiveId(which), behaviour),
    report: () => running?.agent?.report(),
    refusedByGate: gate.counts,
    stop: async () => {
      const { life, agent } = running ?? {}
      running = undefined
      await agent?.stop()
      life?.die()
      wireguard.powerCut()
      machine.close()
    },
  }
}

/** Settles as `promise` does, or rejects when the life it belongs to ends first. */
function orKilled<T>(life: Life, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const forget = life.atDeath(() => reject(new Error('the agent was killed')))
    promise.then(resolve, reject).finally(forget)
  })
}
