// The drivers of a real node, put together as its configuration asks: each part real, or simulated for a laboratory.
// What is not chosen is not loaded: it would cost every agent memory.
import { availableParallelism } from 'node:os'
import path from 'node:path'
import type { Clock } from '../../base/clock.ts'
import type { Files } from '../../base/files.ts'
import { hostTransport } from '../../base/host-transport.ts'
import type { Logger } from '../../base/log.ts'
import type { Processes } from '../../base/processes.ts'
import type { Transport } from '../../base/transport.ts'
import type { ArchiveId } from '../../protocol/ids.ts'
import type { AgentConfig } from '../main/config.ts'
import { NOBODY, userNamed } from '../main/user.ts'
import { HOST_CAPACITY } from './figures.ts'
import type { Drivers } from './host.ts'
import { type KernelFiles, kernelFiles } from './kernel-files.ts'
import { vmOverhead } from './linux-host/vm-overhead.ts'
import { linuxHost } from './linux-host.ts'

export interface LinuxDriverOptions {
  config: AgentConfig
  /** Resolved path of the agent's state folder, and the same as files. */
  state: string
  files: Files
  processes: Processes
  clock: Clock
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
  const { config, clock, log, processes } = options
  const kernel = kernelFiles()
  const simulated = Object.entries(config.drivers).flatMap(([part, choice]) => (choice === 'simulated' ? [part] : []))
  const mesh = await meshOf(options)
  const machines = await (config.drivers.vm === 'real' ? realMachines : simulatedMachines)(options, kernel)
  const host = linuxHost({ processes, kernel, clock, log, vmOverheadMiB: machines.overheadMiB })
  return {
    drivers: {
      wireguard: mesh.wireguard,
      vm: machines.vm,
      cgroup: machines.cgroup,
      image: config.drivers.image === 'real' ? await realImages(options) : await simulatedImages(options),
      // Simulated guests use simulated memory; the clock is this machine's all the same.
      host: { ...host, ...machines.host, clockSynchronised: host.clockSynchronised },
    },
    transport: mesh.transport,
    simulated,
    close() {
      mesh.close()
      machines.close()
    },
  }
}

interface Mesh {
  wireguard: Drivers['wireguard']
  transport: Transport
  close(): void
}

async function meshOf({ config, files, clock, log, processes }: LinuxDriverOptions): Promise<Mesh> {
  const { simulation } = config
  if (config.drivers.wireguard === 'real' || !simulation) {
    const { linuxWireGuard } = await import('./wireguard/linux.ts')
    const runFolder = path.join(config.run, 'wireguard')
    const wireguard = linuxWireGuard({ processes, clock, log, files: files.sub('endpoints'), runFolder })
    return { wireguard, transport: hostTransport(clock), close: wireguard.close }
  }
  const { loopbackTransport } = await import('../../base/loopback-transport.ts')
  const { simulatedWireGuard } = await import('./wireguard/simulated.ts')
  const { gatedTransport } = await import('../simulated/gate.ts')
  const { address, endpoints, behindNat } = simulation
  const underlay = loopbackTransport({ firstOctet: Number(address.split('.')[0]), clock })
  const resolve = async (endpoint: string) => endpoints[endpoint]
  const wireguard = simulatedWireGuard({ transport: underlay, clock, log, address, behindNat, resolve })
  return { wireguard, transport: gatedTransport(underlay, wireguard, { clock }), close: wireguard.powerCut }
}

interface Machines {
  vm: Drivers['vm']
  cgroup: Drivers['cgroup']
  overheadMiB?(): Promise<number | undefined>
  host?: Drivers['host']
  close(): void
}

async function realMachines(options: LinuxDriverOptions, kernel: KernelFiles): Promise<Machines> {
  const { config, clock, log, processes } = options
  const { qemuVm } = await import('./vm/qemu.ts')
  const { accelerator } = config.vm
  const user = process.getuid?.() === 0 ? vmUser(options, kernel) : undefined
  const vm = qemuVm({
    ...{ clock, log, stateFolder: options.state, runFolder: config.run },
    ...(user && { user }),
    ...(accelerator !== 'auto' && { accelerator }),
  })
  const overheadMiB = vmOverhead({
    kernel: { ...kernel, read: (file) => readable(kernel, file) },
    clock,
    processes: async () => (await Promise.all((await vm.list()).map(({ id }) => processOf(id)))).flat(),
  })
  const processOf = async (id: ArchiveId) => {
    const pid = await vm.pidOf(id)
    const args = pid === undefined ? [] : (kernel.read(`/proc/${pid}/cmdline`) ?? '').split('\0')
    const maxMiB = Number.parseInt(args[args.indexOf('-m') + 1] ?? '', 10)
    return pid === undefined || Number.isNaN(maxMiB) ? [] : [{ pid, maxMiB }]
  }
  if (config.drivers.cgroup === 'simulated') {
    const { cgroup, close } = await simulatedMachines(options)
    return { vm, cgroup, overheadMiB, close: () => [vm.close(), close()] }
  }
  const { linuxCgroup } = await import('./cgroup/linux.ts')
  return { vm, cgroup: linuxCgroup({ processes, kernel, clock, pidOf: vm.pidOf }), overheadMiB, close: vm.close }
}

/** Another user's figures are not ours to read without CAP_SYS_PTRACE: then the design's figure is counted with. */
function readable(kernel: KernelFiles, file: string): string | undefined {
  try {
    return kernel.read(file)
  } catch {
    return undefined
  }
}

function vmUser({ config, log }: LinuxDriverOptions, kernel: KernelFiles): { uid: number; gid: number } {
  const named = userNamed(config.vm.user, kernel.read('/etc/passwd') ?? '')
  if (named) return named
  log.error({ user: config.vm.user }, 'there is no such user: QEMU runs as nobody; `ppn doctor` says how to make it')
  return NOBODY
}

async function simulatedMachines({ files, clock }: LinuxDriverOptions): Promise<Machines> {
  const { openMachine } = await import('./vm/simulated-machine.ts')
  const { simulatedVmDriver } = await import('./vm/simulated.ts')
  const { simulatedCgroupDriver } = await import('./cgroup/simulated.ts')
  const { simulatedHostDriver } = await import('./simulated-host.ts')
  const machine = await openMachine({ files: files.sub('machine'), clock, cpus: availableParallelism() })
  return {
    vm: simulatedVmDriver(machine),
    cgroup: simulatedCgroupDriver(machine),
    host: simulatedHostDriver(machine, HOST_CAPACITY.memoryMiB),
    close: machine.close,
  }
}

async function realImages({ config, state, clock, log }: LinuxDriverOptions): Promise<Drivers['image']> {
  const { fileImages } = await import('./image/files.ts')
  const { folders: allowedFolders, hosts: allowedHosts } = config.images
  return fileImages({ folder: path.join(state, 'archives'), allowedFolders, allowedHosts, clock, log })
}

async function simulatedImages({ config, files, clock }: LinuxDriverOptions): Promise<Drivers['image']> {
  const { simulatedImageDriver } = await import('./image/simulated.ts')
  const { imageFiles } = await import('../simulated/image-files.ts')
  const [folder] = config.images.folders
  const readImage = folder === undefined ? undefined : imageFiles(folder)
  return simulatedImageDriver({ files: files.sub('machine').sub('disks'), clock, ...(readImage && { readImage }) })
}
