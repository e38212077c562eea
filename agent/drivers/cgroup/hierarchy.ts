// What this host has of cgroup v2 (Documentation/admin-guide/cgroup-v2.rst).
import type { KernelFiles } from '../kernel-files.ts'

/** Where the v2 hierarchy is mounted (proc_pid_mountinfo(5)); undefined: nowhere. */
export function cgroup2Mount(mountinfo: string): string | undefined {
  for (const line of mountinfo.split('\n')) {
    const [before = '', after] = line.split(' - ')
    if (after?.startsWith('cgroup2 ')) return before.split(' ')[4]
  }
  return undefined
}

export function hasCpu(kernel: KernelFiles, group: string): boolean {
  return (kernel.read(`${group}/cgroup.controllers`) ?? '').trim().split(' ').includes('cpu')
}

/** The group of a process below the mount, e.g. `/ppn/x`; undefined: the process is gone (proc_pid_cgroup(5)). */
export function groupOf(kernel: KernelFiles, pid: number): string | undefined {
  return /^0::(\/.*)$/m.exec(kernel.read(`/proc/${pid}/cgroup`) ?? '')?.[1]
}

/** Every group of a process, those of cgroup v1 included. */
export function groupsOf(kernel: KernelFiles, pid: number): string[] {
  return [...(kernel.read(`/proc/${pid}/cgroup`) ?? '').matchAll(/^\d+:[^:]*:(\/.*)$/gm)].map((m) => m[1] as string)
}

/** cgroup v1 holds the cpu controller, so v2 cannot have it: /proc/cgroups names its hierarchy (0 is v2). */
export function cpuIsV1(cgroups: string): boolean {
  const hierarchy = /^cpu\t(\d+)\t/m.exec(cgroups)?.[1]
  return hierarchy !== undefined && hierarchy !== '0'
}

/** cpu.weight of a group; undefined: there is no such group, or its cpu controller is not enabled. */
export function readWeight(kernel: KernelFiles, group: string): number | undefined {
  const text = kernel.read(`${group}/cpu.weight`)
  return text === undefined ? undefined : Number(text)
}

const CPU_WEIGHT_MAX = 10_000
/** cpu.weight of everything nobody gave another one. */
const DEFAULT_WEIGHT = 100

/**
 * cpu.weight of the group that holds all VMs, so that the host beside it (weight 100) gets what one more VM of weight
 * `reserved` would get.
 */
export function weightOfAll(weights: readonly number[], reserved: number): number {
  const sum = weights.reduce((a, b) => a + b, 0)
  return Math.min(CPU_WEIGHT_MAX, Math.max(1, Math.round((DEFAULT_WEIGHT * sum) / reserved)))
}
