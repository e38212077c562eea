// What the drivers last said, kept so that a report costs no driver call. Questions that come together share one.

import type { Logger } from '../../base/log.ts'
import type { ArchiveId } from '../../protocol/ids.ts'
import type { NodeReport } from '../../protocol/telemetry/report.ts'
import type { Drivers, HostUsage } from '../drivers/host.ts'
import type { VmState } from '../drivers/vm/port.ts'
import type { WireGuardState } from '../drivers/wireguard/port.ts'
import { groupCommit } from '../durable/group-commit.ts'
import type { SilenceWatch } from '../tunnel/silence.ts'

type Lack = NonNullable<NodeReport['capacity']['lacks']>[number]

export interface Observed {
  vms: ReadonlyMap<ArchiveId, VmState>
  tunnel: WireGuardState | undefined
  /** Public keys of peers that are spoken to and do not answer. */
  unanswered: ReadonlySet<string>
  capacity: { memoryMiB: number; cpus: number }
  usage: HostUsage
  lacks: Lack[]
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
  /** Tells who does not answer; without it nobody is said to be silent. */
  silence?: SilenceWatch
  interfaceName(): string | undefined
  changed(): void
}): Observer {
  const { drivers, log } = options
  let observed: Observed = {
    vms: new Map(),
    tunnel: undefined,
    unanswered: new Set(),
    capacity: { memoryMiB: 0, cpus: 0 },
    usage: { memoryFreeMiB: 0, psiSomeAvg10: 0 },
    lacks: [],
    // Until the kernel has been asked: an unsynchronised clock refuses nothing by age, so this is the strict answer.
    clockSynchronised: true,
  }
  const ask = (what: string, question: () => Promise<Partial<Observed>>) => {
    const shared = groupCommit(async () => {
      try {
        // Several questions are under way at once: what another answered meanwhile must stay.
        const answer = await question()
        observed = { ...observed, ...answer }
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
      const tunnel = name === undefined ? undefined : await drivers.wireguard.read(name)
      return { tunnel, unanswered: options.silence?.look(tunnel) ?? new Set<string>() }
    }),
    host: ask('host', async () => {
      const usage = await drivers.host.usage()
      return {
        capacity: await drivers.host.capacity(),
        usage,
        lacks: lacksOf(drivers.cgroup.unavailable(), usage.psiUnavailable),
        clockSynchronised: await drivers.host.clockSynchronised(),
      }
    }),
  }
}

/** The bound of protocol/telemetry/report.ts. */
const REASON_LIMIT = 256

function lacksOf(cpuWeights: string | undefined, memoryPressure: string | undefined): Lack[] {
  const lack = (what: Lack['what'], reason: string | undefined): Lack[] =>
    reason === undefined ? [] : [{ what, reason: reason.slice(0, REASON_LIMIT) }]
  return [...lack('CpuWeights', cpuWeights), ...lack('MemoryPressure', memoryPressure)]
}
