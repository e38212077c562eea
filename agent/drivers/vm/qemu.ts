// Virtual machines as QEMU processes (DESIGN 8b). They outlive the agent; the next one finds them again.
import type { Clock } from '../../../base/clock.ts'
import { diskFiles } from '../../../base/disk-files.ts'
import type { Logger } from '../../../base/log.ts'
import { type AcceleratorChoice, chooseAccelerator, kvmGroup } from './qemu/accelerator.ts'
import type { Accelerator } from './qemu/arguments.ts'
import { type QemuVmDriver, qemuDriver } from './qemu/driver.ts'
import { linuxQemu, type VmUser } from './qemu/linux.ts'

export type { QemuVmDriver, VmUser }

export interface QemuVmOptions {
  clock: Clock
  log: Logger
  /** The agent's state folder: `vms/` (records) and `consoles/` (logs) are ours. */
  stateFolder: string
  /** Gone with the host's run: `<runFolder>/<slot>/` holds a VM's sockets. */
  runFolder: string
  /** Whom the VMs run as; undefined: as ourselves. */
  user?: VmUser
  /** Default: KVM where it really runs, else TCG. */
  accelerator?: Accelerator
  program?: string
}

export interface QemuVms extends QemuVmDriver {
  /** Resolves after the one trial of KVM. */
  accelerator(): Promise<AcceleratorChoice>
}

export function qemuVm(options: QemuVmOptions): QemuVms {
  const { clock, log, runFolder, stateFolder, user, program = 'qemu-system-x86_64' } = options
  let choice: Promise<AcceleratorChoice> | undefined
  let group: number | undefined
  const vmUser = (): VmUser | undefined => user && { uid: user.uid, gid: group ?? user.gid }

  const choose = async (): Promise<AcceleratorChoice> => {
    if (options.accelerator) return { accelerator: options.accelerator, because: 'the configuration says so' }
    const kvm = await kvmGroup()
    const tried = await chooseAccelerator({
      clock,
      program,
      runFolder,
      user: user && { ...user, gid: kvm ?? user.gid },
    })
    if (tried.accelerator === 'kvm') group = kvm
    log.info({ ...tried }, 'how virtual machines run')
    return tried
  }
  const accelerator = (): Promise<AcceleratorChoice> => {
    choice ??= choose()
    return choice
  }
  const world = linuxQemu({
    clock,
    runFolder,
    stateFolder,
    program,
    accelerator: async () => (await accelerator()).accelerator,
    user: vmUser,
  })
  return { ...qemuDriver({ world, files: diskFiles(stateFolder), clock, log }), accelerator }
}
