// Groups made by hand, where no systemd owns the tree: <cgroup2 mount>/ppn, and one group a VM below it. Nothing
// outside it is written, so the cpu controller must already be enabled for it by whoever set up the tree.
import type { ArchiveId } from '../../../protocol/ids.ts'
import type { KernelFiles } from '../kernel-files.ts'
import type { Groups } from './groups.ts'
import { hasCpu, readWeight } from './hierarchy.ts'

export function plainGroups(kernel: KernelFiles, mount: string, folder: string): Groups {
  const all = `${mount}/${folder}`
  const path = (id: ArchiveId) => `${all}/${id}`
  /** Being made: empty, and yet not to be tidied away. */
  const making = new Set<string>()

  return {
    group: (id) => `/${folder}/${id}`,
    all: `/${folder}`,
    unavailable() {
      try {
        kernel.makeFolder(all)
      } catch (error) {
        return `no cgroup v2 group can be made at ${all}: ${String(error)}`
      }
      if (hasCpu(kernel, all)) return undefined
      return `no cgroup v2 cpu controller below ${mount}; to enable it: echo +cpu > ${mount}/cgroup.subtree_control`
    },
    async put(id, pid) {
      making.add(id)
      try {
        kernel.makeFolder(all)
        kernel.write(`${all}/cgroup.subtree_control`, '+cpu')
        kernel.makeFolder(path(id))
        kernel.write(`${path(id)}/cgroup.procs`, String(pid))
      } finally {
        making.delete(id)
      }
    },
    async setWeight(group, weight) {
      kernel.write(`${mount}${group}/cpu.weight`, String(weight))
    },
    weights: () =>
      kernel.folders(all).flatMap((name) => {
        const weight = readWeight(kernel, `${all}/${name}`)
        return weight === undefined ? [] : [weight]
      }),
    tidy() {
      for (const name of kernel.folders(all)) if (!making.has(name)) kernel.removeFolder(`${all}/${name}`)
    },
  }
}
