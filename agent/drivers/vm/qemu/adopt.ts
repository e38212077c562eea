// What became of the VMs while no agent was there: decided from the records and the processes of this host. Pure.
import type { VmEnd, VmSpec } from '../port.ts'
import { runPaths, uuidOf } from './arguments.ts'
import type { ProcessId } from './process-table.ts'
import type { VmRecord } from './record.ts'

/** Is this the argument list of the QEMU that runs this archive in this run folder? */
export function runsArchive(args: readonly string[], record: VmRecord, runFolder: string): boolean {
  const uuid = args.indexOf('-uuid')
  const socket = `path=${runPaths(runFolder, record.spec.slot).qmp},`
  return uuid > 0 && args[uuid + 1] === uuidOf(record.spec.id) && args.some((arg) => arg.includes(socket))
}

/**
 * What can be told of a QEMU of ours whose record is lost; undefined: it is none of ours. Its floor is not in its
 * argument list, so it keeps all its memory until somebody names one.
 */
export function recordFrom(args: readonly string[], runFolder: string, hostBootId: string): VmRecord | undefined {
  const after = (option: string) => args[args.indexOf(option) + 1] ?? ''
  const id = after('-uuid').replaceAll('-', '')
  const slot = Number(/^ppn-(\d+)$/.exec(after('-name'))?.[1])
  const vcpus = Number(/^cpus=(\d+),/.exec(after('-smp'))?.[1])
  const maxMiB = Number(/^(\d+)M$/.exec(after('-m'))?.[1])
  if (!/^[0-9a-f]{32}$/.test(id) || [slot, vcpus, maxMiB].some(Number.isNaN)) return undefined
  const format = args.some((arg) => arg.includes('"driver":"qcow2"')) ? 'qcow2' : 'raw'
  const spec = { id, slot, disk: UNKNOWN_DISK, format, vcpus, floorMiB: maxMiB, maxMiB } as VmSpec
  const record: VmRecord = { spec, hostBootId, state: 'started' }
  return runsArchive(args, record, runFolder) ? record : undefined
}

/** No path: it is looked for in vain, and the record goes when the process is gone. */
const UNKNOWN_DISK = '-'

/** A run that is over. */
export function lastOf({ spec, hostBootId, process, startedMs }: VmRecord, end: VmEnd | undefined): VmRecord {
  const past = { ...(process && { process }), ...(startedMs !== undefined && { startedMs }) }
  return { spec, hostBootId, state: 'ended', ...past, ...(end && { end }) }
}

/** How the last run ended when there is no process any more; undefined: without a word, as with the host's own end. */
export function endOf(record: VmRecord, hostBootId: string): VmEnd | undefined {
  if (record.end !== undefined || record.state === 'ended') return record.end
  // Everything on the host ended with it; and what was only intended never was.
  if (record.hostBootId !== hostBootId || record.state === 'intended') return undefined
  return record.asked === 'end' ? 'host-quit' : 'process-died'
}

/** The record of a process found again, whether or not the agent lived to write down its pid. */
export function foundAgain(record: VmRecord, process: ProcessId): VmRecord {
  const { pid, startTicks } = process
  return { ...record, state: 'started', process: { pid, startTicks } }
}
