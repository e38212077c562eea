// One transient scope a VM in ppn.slice, where systemd owns the tree: writing into it behind systemd's back is
// undefined (systemd.io/CGROUP_DELEGATION). Through D-Bus (org.freedesktop.systemd1(5)), as a scope may only be made
// for processes that already run, and the agent started them. A scope ends by itself with its last process.
import type { Clock } from '../../../base/clock.ts'
import { type Processes, runOk } from '../../../base/processes.ts'
import type { ArchiveId } from '../../../protocol/ids.ts'
import type { KernelFiles } from '../kernel-files.ts'
import type { Groups } from './groups.ts'
import { groupsOf, readWeight } from './hierarchy.ts'

const SLICE = 'ppn.slice'
const MANAGER = ['org.freedesktop.systemd1', '/org/freedesktop/systemd1', 'org.freedesktop.systemd1.Manager']
/** From the job to the move of the process. */
const WITHIN_MS = 5_000
const LOOK_EVERY_MS = 20

export const unitOf = (id: ArchiveId): string => `ppn-${id}.scope`

export function systemdScopes(kernel: KernelFiles, processes: Processes, clock: Clock, mount: string): Groups {
  const call = (method: string, signature: string, ...args: string[]): Promise<string> =>
    runOk(processes, 'busctl', ['call', ...MANAGER, method, signature, ...args])
  const isIn = (pid: number, unit: string) => groupsOf(kernel, pid).includes(`/${SLICE}/${unit}`)

  return {
    group: (id) => `/${SLICE}/${unitOf(id)}`,
    all: `/${SLICE}`,
    unavailable: () => undefined,
    async put(id, pid) {
      const unit = unitOf(id)
      try {
        // biome-ignore format: signature and values as busctl(1) pairs them
        await call('StartTransientUnit', 'ssa(sv)a(sa(sv))', unit, 'fail', '4',
          'Description', 's', `ppn archive ${id}`,
          'Slice', 's', SLICE,
          'CollectMode', 's', 'inactive-or-failed',
          'PIDs', 'au', '1', String(pid),
          '0')
      } catch (error) {
        // The scope of the VM's earlier process has not ended yet.
        if (!String(error).includes('already')) throw error
        await call('AttachProcessesToUnit', 'ssau', unit, '', '1', String(pid))
      }
      for (let waitedMs = 0; !isIn(pid, unit); waitedMs += LOOK_EVERY_MS) {
        if (waitedMs > WITHIN_MS) throw new Error(`systemd did not move process ${pid} into ${unit}`)
        await clock.sleep(LOOK_EVERY_MS)
      }
    },
    async setWeight(group, weight) {
      const unit = group.slice(group.lastIndexOf('/') + 1)
      await call('SetUnitProperties', 'sba(sv)', unit, 'true', '1', 'CPUWeight', 't', String(weight))
    },
    weights: () =>
      kernel.folders(`${mount}/${SLICE}`).flatMap((name) => {
        const weight = name.endsWith('.scope') ? readWeight(kernel, `${mount}/${SLICE}/${name}`) : undefined
        return weight === undefined ? [] : [weight]
      }),
    tidy: () => {},
  }
}
