// A node that a person cut off the mesh: `severed/<node uid>`, written before the first SEVER goes out. A command alone
// proves nothing (law 2): the node reads Severed once the hubs' telemetry shows its link down.
import type { Path } from '../../protocol/telemetry/report.ts'
import type { RecordStore } from '../ports/store.ts'

/** Heard again for longer than silence takes to show, it is back: a bundle was imported on the node itself. */
export const BACK_AFTER_MS = 60_000

export const severedRecord = (uid: string): string => `severed/${uid}`

export function severedMs(records: RecordStore, uid: string): number | undefined {
  return (records.get(severedRecord(uid))?.value as { atMs: number } | undefined)?.atMs
}

/** Durable when resolved. */
export async function rememberSevered(records: RecordStore, uid: string, atMs: number): Promise<void> {
  const before = records.get(severedRecord(uid))
  await records.put(severedRecord(uid), { atMs }, before?.version ?? 0)
}

/** At least one other hub is heard, and none that is heard has a link to the node. */
export function isCutOff(hubs: readonly { fresh: boolean; path: Path | undefined }[]): boolean {
  const heard = hubs.filter(({ fresh }) => fresh)
  return heard.length > 0 && heard.every(({ path }) => path === undefined || path === 'Down')
}
