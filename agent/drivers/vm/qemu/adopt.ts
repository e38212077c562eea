// What became of the VMs while no agent was there: decided from the records and the processes of this host. Pure.
import type { VmEnd } from '../port.ts'
import { runPaths, uuidOf } from './arguments.ts'
import type { ProcessId } from './process-table.ts'
import type { VmRecord } from './record.ts'

/** Is this the argument list of the QEMU that runs this archive in this run folder? */
export function runsArchive(args: readonly string[], record: VmRecord, runFolder: string): boolean {
  const uuid = args.indexOf('-uuid')
  const socket = `path=${runPaths(runFolder, record.spec.slot).qmp},`
  return uuid > 0 && args[uuid + 1] === uuidOf(record.spec.id) && args.some((arg) => arg.includes(socket))
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
