// CPU shares by cgroup v2: each VM's process in a group of its own, all of them in one group beside the host's.
//
//   /sys/fs/cgroup
//     system.slice ...              the host
//     ppn.slice/ppn-<id>.scope      with systemd
//     ppn/<id>                      without
//
// What is read is the kernel's cpu.weight, never what was asked for. Nothing outside ppn.slice or ppn is written.
import type { Clock } from '../../../base/clock.ts'
import type { Processes } from '../../../base/processes.ts'
import type { ArchiveId } from '../../../protocol/ids.ts'
import type { KernelFiles } from '../kernel-files.ts'
import type { Groups } from './groups.ts'
import { cgroup2Mount, cpuIsV1, groupOf, groupsOf, hasCpu, readWeight, weightOfAll } from './hierarchy.ts'
import { plainGroups } from './plain-groups.ts'
import type { CgroupDriver } from './port.ts'
import { systemdScopes } from './systemd-scopes.ts'

/** systemd writes weights when its loop comes round. */
const WEIGHT_WITHIN_MS = 3_000
const LOOK_EVERY_MS = 20

export interface LinuxCgroupOptions {
  processes: Processes
  kernel: KernelFiles
  clock: Clock
  /** The VM's process, proved to be it (pid and start time); undefined: it has none. */
  pidOf(id: ArchiveId): Promise<number | undefined>
  /** Name of the group above the VMs', where there is no systemd. Default `ppn`. */
  folder?: string
  /** Default: whether systemd runs this machine. */
  systemd?: boolean
}

export function linuxCgroup(options: LinuxCgroupOptions): CgroupDriver {
  const { processes, kernel, clock } = options
  // /run/systemd/system is there when systemd runs the machine (sd_booted(3)).
  const systemd = options.systemd ?? kernel.folders('/run/systemd').includes('system')
  const mount = cgroup2Mount(kernel.read('/proc/self/mountinfo') ?? '')
  const groups: Groups = systemd
    ? systemdScopes(kernel, processes, clock, mount ?? '')
    : plainGroups(kernel, mount ?? '', options.folder ?? 'ppn')
  let reserved: number | undefined

  const unavailable = (): string | undefined => {
    if (mount === undefined) return 'no cgroup v2 cpu controller: no cgroup2 file system is mounted'
    if (hasCpu(kernel, mount)) return groups.unavailable()
    const why = cpuIsV1(kernel.read('/proc/cgroups') ?? '') ? 'cgroup v1 has it' : 'the kernel has none'
    return `no cgroup v2 cpu controller at ${mount}: ${why}`
  }
  const isInGroup = (id: ArchiveId, pid: number) => groupsOf(kernel, pid).includes(groups.group(id))
  const enter = async (id: ArchiveId): Promise<boolean> => {
    const pid = await options.pidOf(id)
    if (pid === undefined) return false
    if (!isInGroup(id, pid)) await groups.put(id, pid)
    return true
  }
  /** Asks, and waits until the kernel says so. */
  const set = async (group: string, weight: number): Promise<void> => {
    if (readWeight(kernel, `${mount}${group}`) === weight) return
    await groups.setWeight(group, weight)
    for (let waitedMs = 0; readWeight(kernel, `${mount}${group}`) !== weight; waitedMs += LOOK_EVERY_MS) {
      if (waitedMs > WEIGHT_WITHIN_MS) throw new Error(`cpu.weight of ${group} did not become ${weight}`)
      await clock.sleep(LOOK_EVERY_MS)
    }
  }
  const share = async (): Promise<void> => {
    // A VM that has ended weighs nothing.
    groups.tidy()
    const weights = groups.weights()
    if (reserved !== undefined && weights.length > 0) await set(groups.all, weightOfAll(weights, reserved))
  }

  return {
    unavailable,
    async weight(id) {
      const pid = await options.pidOf(id)
      if (pid === undefined) groups.tidy()
      if (pid === undefined || groupOf(kernel, pid) !== groups.group(id)) return undefined
      return readWeight(kernel, `${mount}${groups.group(id)}`)
    },
    async setWeight(id, weight) {
      if (!Number.isInteger(weight) || weight < 1 || weight > 10_000) throw new RangeError(`cpu.weight ${weight}`)
      const reason = unavailable()
      if (reason !== undefined) throw new Error(reason)
      if (!(await enter(id))) throw new Error(`vm ${id} has no process`)
      await set(groups.group(id), weight)
      await share()
    },
    // With systemd also where weights cannot be set: a VM in a scope of its own outlives the agent's service.
    async enter(id) {
      if (systemd || unavailable() === undefined) await enter(id)
    },
    async reserve(weight) {
      reserved = weight
      if (unavailable() === undefined) await share()
    },
  }
}
