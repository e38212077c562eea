// What the drivers last said, kept so that a report costs no driver call. Questions that come together share one.

import type { Logger } from '../../base/log.ts'
import type { ArchiveId } from '../../protocol/ids.ts'
import type { Drivers } from '../drivers/host.ts'
import type { VmState } from '../drivers/vm/port.ts'
import type { WireGuardState } from '../drivers/wireguard/port.ts'
import { groupCommit } from '../durable/group-commit.ts'

export interface Observed {
  vms: ReadonlyMap<ArchiveId, VmState>
  tunnel: WireGuardState | undefined
  capacity: { memoryMiB: number; cpus: number }
  usage: { memoryFreeMiB: number; psiSomeAvg10: number }
  clockSynchronised: boolean
}

export interface Observer {
  get(): Observed
  /** Each resolves when a question asked after the call has been answered; a driver's failure keeps the old answer. */
  vms(): Promise<void>
  tunnel(): Promise<void>
  host(): Promise<void>
}

/** `interfaceName`: of the bundle in force. `changed`: an answer came. */
export function createObserver(options: {
  drivers: Drivers
  log: Logger
  interfaceName(): string | undefined
  changed(): void
}): Observer {
  const { drivers, log } = options
  let observed: Observed = {
    vms: new Map(),
    tunnel: undefined,
    capacity: { memoryMiB: 0, cpus: 0 },
    usage: { memoryFreeMiB: 0, psiSomeAvg10: 0 },
    // Until the kernel has been asked: an unsynchronised clock refuses nothing by age, so this is the strict answer.
    clockSynchronised: true,
  }
  const ask = (what: string, question: () => Promise<Partial<Observed>>) => {
    const shared = groupCommit(async () => {
      try {
        observed = { ...observed, ...(await question()) }
        options.changed()
      } catch (error) {
        log.warn({ what, err: String(error) }, 'a driver did not answer')
      }
    })
    return () => shared.commit()
  }
  return {
    get: () => observed,
    vms: ask('vm', async () => ({ vms: new Map((await drivers.vm.list()).map((vm) => [vm.id, vm])) })),
    tunnel: ask('wireguard', async () => {
      const name = options.interfaceName()
      return { tunnel: name === undefined ? undefined : await drivers.wireguard.read(name) }
    }),
    host: ask('host', async () => ({
      capacity: await drivers.host.capacity(),
      usage: await drivers.host.usage(),
      clockSynchronised: await drivers.host.clockSynchronised(),
    })),
  }
}
