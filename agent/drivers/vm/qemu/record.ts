// What survives the agent of each VM: `vms/<archive id>` in the state folder. Written before there is a process, so
// that an agent that dies at any moment finds the process again and never makes a second one.
import { z } from 'zod'
import type { Files } from '../../../../base/files.ts'
import type { ArchiveId } from '../../../../protocol/ids.ts'
import { openJson, sealJson } from '../../../durable/sealed-json.ts'
import { setAside } from '../../../durable/set-aside.ts'
import type { VmSpec } from '../port.ts'

const FOLDER = 'vms'
const ID = /^[0-9a-f]{32}$/

const vmRecord = z.strictObject({
  spec: z.strictObject({
    id: z.string().regex(ID),
    slot: z.int().min(1).max(255),
    disk: z.string().min(1),
    format: z.enum(['raw', 'qcow2']),
    vcpus: z.int().min(1),
    floorMiB: z.int().min(1),
    maxMiB: z.int().min(1),
  }) as unknown as z.ZodType<VmSpec>,
  /** /proc/sys/kernel/random/boot_id of the host's run in which it was started. */
  hostBootId: z.string(),
  /** intended: there may be a process or not; started: `process` is it; ended: it was seen gone. */
  state: z.enum(['intended', 'started', 'ended']),
  process: z.strictObject({ pid: z.int().min(1), startTicks: z.int().min(0) }).optional(),
  /** Wall clock, ms. */
  startedMs: z.int().min(0).optional(),
  /** stop: the stop ladder has begun; end: it is being ended without the guest. */
  asked: z.enum(['stop', 'end']).optional(),
  /** Written as soon as it is known, before QEMU is told to go. */
  end: z.enum(['guest-shutdown', 'host-quit', 'guest-panic', 'process-died']).optional(),
})
export type VmRecord = z.output<typeof vmRecord>

export interface VmRecords {
  /** Unreadable ones are set aside: their processes are still found by their argument list. */
  all(): Promise<VmRecord[]>
  /** Changes nothing: for those who are not the agent. */
  readable(): Promise<VmRecord[]>
  write(record: VmRecord): Promise<void>
  remove(id: ArchiveId): Promise<void>
}

export function vmRecordsIn(files: Files): VmRecords {
  const folder = files.sub(FOLDER)
  const read = async () => {
    const records: VmRecord[] = []
    const bad: { name: string; bytes: Uint8Array }[] = []
    for (const name of await folder.list()) {
      const bytes = ID.test(name) ? await folder.read(name) : undefined
      if (!bytes) continue
      const record = openJson(bytes, vmRecord)
      if (record?.spec.id === name) records.push(record)
      else bad.push({ name, bytes })
    }
    return { records, bad }
  }
  return {
    async all() {
      const { records, bad } = await read()
      for (const { name, bytes } of bad) await setAside(folder, name, bytes)
      return records
    },
    readable: async () => (await read()).records,
    write: (record) => folder.write(record.spec.id, sealJson(record)),
    remove: (id) => folder.remove(id),
  }
}
