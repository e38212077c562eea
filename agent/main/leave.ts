// `ppn agent --leave` and `--purge`, done while no agent runs. Leaving is SEVER done here: interface, daemon and
// firewall table go, workloads go on, and only a bundle given by hand brings the node back. Purging takes everything of
// ppn from the machine but the disks of archives: a disk is never deleted because a node is given up (law 3).
import { readdir, rm } from 'node:fs/promises'
import path from 'node:path'
import type { Clock } from '../../base/clock.ts'
import { PpnError } from '../../base/errors.ts'
import type { Files } from '../../base/files.ts'
import type { ArchiveId } from '../../protocol/ids.ts'
import { isAlive } from '../apply/archives/view.ts'
import type { Drivers } from '../drivers/host.ts'
import type { DiskInfo } from '../drivers/image/port.ts'
import type { VmState } from '../drivers/vm/port.ts'
import { openNodeState } from '../durable/node-state.ts'
import { sidecarsIn } from '../fence/sidecar.ts'
import { appliedContent } from './node-facts.ts'

export interface Departure {
  files: Files
  drivers: Drivers
  clock: Clock
}

export interface Left {
  /** Of the mesh that was left; undefined: the node never had a bundle. */
  interfaceName: string | undefined
  /** VMs that go on. */
  running: VmState[]
}

/** Durable before the interface goes: an agent that starts in between does not join again. */
export async function leaveMesh({ files, drivers }: Departure): Promise<Left> {
  const content = await appliedContent(files)
  if (content) {
    const state = await openNodeState(files)
    if (!state.get().severed) await state.update({ severed: true })
    await drivers.wireguard.remove(content.interface.name)
  }
  return { interfaceName: content?.interface.name, running: (await drivers.vm.list()).filter(isAlive) }
}

export interface KeptDisk extends DiskInfo {
  /** `namespace/name` of its archive, where that can be read. */
  archive: string
}

/** The disks on this node, with whose they are. */
export async function disksHere({ files, drivers }: Departure): Promise<KeptDisk[]> {
  const sidecars = sidecarsIn(files)
  return Promise.all(
    (await drivers.image.list()).map(async (disk) => {
      const sidecar = await sidecars.read(disk.id)
      const known = sidecar && sidecar !== 'unreadable' ? `${sidecar.namespace}/${sidecar.name}` : 'unknown'
      return { ...disk, archive: known }
    }),
  )
}

/** The stop ladder takes a minute at most (section 8b). */
const STOP_WITHIN_MS = 90_000
const LOOK_EVERY_MS = 200

/** Stops every VM as the operator would; resolves when none runs. Throws MachinesRun when one does not end. */
export async function stopMachines({ drivers, clock }: Departure): Promise<void> {
  const running = async () => (await drivers.vm.list()).filter(isAlive)
  for (const { id } of await running()) await drivers.vm.stop(id)
  for (let waited = 0; (await running()).length > 0; waited += LOOK_EVERY_MS) {
    if (waited >= STOP_WITHIN_MS) throw new PpnError('MachinesRun', { archives: ids(await running()).join(', ') })
    await clock.sleep(LOOK_EVERY_MS)
  }
}

const ids = (vms: readonly VmState[]): ArchiveId[] => vms.map(({ id }) => id)

/**
 * Leaves the mesh and removes what ppn keeps on this machine; returns the disks that stay, with their sidecars and the
 * fence that says which of them may start. Throws MachinesRun, and has done nothing, while a VM runs.
 */
export async function purgeNode(options: Departure & { state: string; run: string }): Promise<KeptDisk[]> {
  const { files, drivers, state, run } = options
  const running = (await drivers.vm.list()).filter(isAlive)
  if (running.length > 0) throw new PpnError('MachinesRun', { archives: ids(running).join(', ') })
  await leaveMesh(options)
  const kept = await disksHere(options)
  const keep = new Set(kept.length > 0 ? ['fence'] : [])
  for (const name of await files.list()) if (!keep.has(name)) await files.remove(name)
  for (const folder of ['keys', 'endpoints', 'vms', 'consoles', 'machine'])
    await rm(path.join(state, folder), { recursive: true, force: true })
  await emptyArchives(state, new Set(kept.map(({ id }) => id)))
  await rm(run, { recursive: true, force: true })
  if (kept.length === 0) await rm(state, { recursive: true, force: true })
  return kept
}

/** Folders of archives that have no disk here. */
async function emptyArchives(state: string, kept: ReadonlySet<ArchiveId>): Promise<void> {
  const folder = path.join(state, 'archives')
  for (const id of await readdir(folder).catch(() => []))
    if (!kept.has(id as ArchiveId)) await rm(path.join(folder, id), { recursive: true, force: true })
}

/** Everything that ties the machine to its fleet; what it gave up (the fence) and the archives stay. */
const OF_THE_FLEET = ['pins', 'applied', 'staged', 'prev', 'marks', 'state', 'imported', 'imported-document'] as const

/**
 * After `leaveMesh`: the machine is in no fleet and has new keys, so that it can join this one or another as a new
 * machine. The archives that run here go on, and are taken over by a bundle that lists them. Repeatable after a crash.
 */
export async function forgetMesh(files: Files): Promise<void> {
  for (const name of OF_THE_FLEET) await files.remove(name)
  const keys = files.sub('keys')
  for (const name of await keys.list()) await keys.remove(name)
}
