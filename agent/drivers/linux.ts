// The drivers of a real node, put together as its configuration asks: each part real, or simulated for a laboratory.
import { availableParallelism } from 'node:os'
import type { Clock } from '../../base/clock.ts'
import type { Files } from '../../base/files.ts'
import type { Logger } from '../../base/log.ts'
import type { Processes } from '../../base/processes.ts'
import type { RandomBytes } from '../../base/random.ts'
import type { Transport } from '../../base/transport.ts'
import type { AgentConfig } from '../main/config.ts'
import type { Drivers } from './host.ts'
import { kernelFiles } from './kernel-files.ts'
import { linuxHost } from './linux-host.ts'

export interface LinuxDriverOptions {
  config: AgentConfig
  /** The agent's state folder: `endpoints/` and, for simulated parts, `machine/` are ours. */
  files: Files
  processes: Processes
  clock: Clock
  random: RandomBytes
  log: Logger
}

export interface NodeDrivers {
  drivers: Drivers
  /** The network that goes with the WireGuard chosen. */
  transport: Transport
  /** Parts that are not real, e.g. `vm`. */
  simulated: string[]
  /** Ends timers and sockets of ours; what runs on the machine runs on. */
  close(): void
}

/** Nothing on the machine is changed by this; the agent does that. */
export async function linuxDrivers(options: LinuxDriverOptions): Promise<NodeDrivers> {
  const { config, files, clock, log, processes } = options
  const closers: (() => void)[] = []
  const simulated = Object.entries(config.drivers).flatMap(([part, choice]) => (choice === 'simulated' ? [part] : []))
  const kernel = kernelFiles()

  const machineFiles = files.sub('machine')
  const { openMachine } = await import('./vm/simulated-machine.ts')
  const { simulatedVmDriver } = await import('./vm/simulated.ts')
  const { simulatedCgroupDriver } = await import('./cgroup/simulated.ts')
  const machine = await openMachine({ files: machineFiles, clock, cpus: availableParallelism() })
  closers.push(() => machine.close())

  const { wireguard, transport } = await wireGuard(options, closers)
  return {
    drivers: {
      wireguard,
      vm: simulatedVmDriver(machine),
      cgroup: simulatedCgroupDriver(machine),
      image: await images(options),
      host: linuxHost({ processes, kernel, clock, log }),
    },
    transport,
    simulated,
    close: () => {
      for (const close of closers) close()
    },
  }
}

async function wireGuard(
  { config, clock, log }: LinuxDriverOptions,
  closers: (() => void)[],
): Promise<{ wireguard: Drivers['wireguard']; transport: Transport }> {
  const { simulation } = config
  if (config.drivers.wireguard === 'real' || !simulation) throw new Error('only a simulated WireGuard is there')
  const { loopbackTransport } = await import('../../base/loopback-transport.ts')
  const { simulatedWireGuard } = await import('./wireguard/simulated.ts')
  const { gatedTransport } = await import('../simulated/gate.ts')
  const { address, endpoints, behindNat } = simulation
  const underlay = loopbackTransport({ firstOctet: Number(address.split('.')[0]), clock })
  const resolve = async (endpoint: string) => endpoints[endpoint]
  const wireguard = simulatedWireGuard({ transport: underlay, clock, log, address, behindNat, resolve })
  closers.push(() => wireguard.powerCut())
  return { wireguard, transport: gatedTransport(underlay, wireguard, { clock }) }
}

async function images({ config, files, clock }: LinuxDriverOptions): Promise<Drivers['image']> {
  const { simulatedImageDriver } = await import('./image/simulated.ts')
  const { imageFiles } = await import('../simulated/image-files.ts')
  const [folder] = config.images.folders
  return simulatedImageDriver({
    files: files.sub('machine').sub('disks'),
    clock,
    ...(folder !== undefined && { readImage: imageFiles(folder) }),
  })
}
