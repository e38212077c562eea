// Where the consoles of this node's VMs are: for `ppn console`, which runs here and nowhere else (law 8).
import path from 'node:path'
import { diskFiles } from '../../../../base/disk-files.ts'
import type { ArchiveId } from '../../../../protocol/ids.ts'
import { sidecarsIn } from '../../../fence/sidecar.ts'
import { runPaths } from './arguments.ts'
import { consoleLogIn } from './logs.ts'
import { vmRecordsIn } from './record.ts'

export interface VmConsole {
  id: ArchiveId
  /** As the sidecar says; its id where there is none that can be read. */
  name: string
  namespace: string
  /** The serial port of its QEMU; there only while that runs. */
  socket: string
  log: string
}

/** Every VM this node has a record of. Changes nothing. */
export async function vmConsoles(stateFolder: string, runFolder: string): Promise<VmConsole[]> {
  const files = diskFiles(stateFolder)
  const sidecars = sidecarsIn(files)
  const consoles: VmConsole[] = []
  for (const { spec } of await vmRecordsIn(files).readable()) {
    const sidecar = await sidecars.read(spec.id)
    const known = sidecar && sidecar !== 'unreadable' ? sidecar : undefined
    consoles.push({
      id: spec.id,
      name: known?.name ?? spec.id,
      namespace: known?.namespace ?? 'unknown',
      socket: path.resolve(runPaths(runFolder, spec.slot).console),
      log: consoleLogIn(stateFolder, spec.id),
    })
  }
  return consoles
}

/** By id, NAME, or NAMESPACE/NAME; several when a name alone does not tell. */
export function consolesNamed(consoles: readonly VmConsole[], what: string): VmConsole[] {
  return consoles.filter(({ id, name, namespace }) => [id, name, `${namespace}/${name}`].includes(what))
}
