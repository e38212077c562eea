// Fencing epochs: `epoch/<archiveId>` holds the highest one ever given. It outlives the archive, because its disk
// may be adopted again.
import type { RecordStore } from '../../controllers/ports/store.ts'
import type { ArchiveId, FencingEpoch } from '../../protocol/ids.ts'

/** The epoch of a disk that has never moved; 0 would not lie above an empty fence. */
const FIRST: FencingEpoch = 1

export interface Epochs {
  /** The archive's present epoch; the first one when it has none. */
  claim(id: ArchiveId): Promise<FencingEpoch>
  /** The next one, above every one given and above `floor`. */
  raise(id: ArchiveId, floor: FencingEpoch): Promise<FencingEpoch>
  /** An epoch seen on a node is given to nobody else from now on. */
  observe(id: ArchiveId, seen: FencingEpoch): Promise<void>
}

export function epochs(records: RecordStore): Epochs {
  const last = (id: ArchiveId) => {
    const record = records.get(`epoch/${id}`)
    return { version: record?.version ?? 0, epoch: (record?.value as { epoch: FencingEpoch } | undefined)?.epoch ?? 0 }
  }
  const set = async (id: ArchiveId, epoch: FencingEpoch, version: number): Promise<FencingEpoch> => {
    await records.put(`epoch/${id}`, { epoch }, version)
    return epoch
  }
  return {
    async claim(id) {
      const { epoch, version } = last(id)
      return epoch > 0 ? epoch : set(id, FIRST, version)
    },
    async raise(id, floor) {
      const { epoch, version } = last(id)
      return set(id, Math.max(epoch, floor) + 1, version)
    },
    async observe(id, seen) {
      const { epoch, version } = last(id)
      if (seen > epoch) await set(id, seen, version)
    },
  }
}
