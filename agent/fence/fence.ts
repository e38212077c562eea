// Law 7 on the node: the highest fencing epoch of each archive that this node gave up, durable before the signed
// release record is shown to anyone. At or below it, the archive is never started here again.
import { z } from 'zod'
import type { Files } from '../../base/files.ts'
import type { ArchiveId, FencingEpoch } from '../../protocol/ids.ts'
import { groupCommit } from '../durable/group-commit.ts'
import { openJson, sealJson } from '../durable/sealed-json.ts'

const FILE = 'fence'
const fenceFile = z.record(z.string().regex(/^[0-9a-f]{32}$/), z.int().min(0).max(0xffff_ffff))

export interface Release {
  archive: ArchiveId
  fencingEpoch: FencingEpoch
}

export interface Fence {
  /** The file cannot be read, or is gone: nothing may start until a person restores it. */
  readonly lost: boolean
  /** Highest epoch released; undefined: never. */
  released(archive: ArchiveId): FencingEpoch | undefined
  /** Resolves when durable; never lowers. Throws when the fence is lost. */
  release(archive: ArchiveId, epoch: FencingEpoch): Promise<void>
  /** In the order of giving up. */
  releases(): Release[]
}

/** Writes an empty fence: at enrolment, so that a missing file later means a lost one. */
export async function initFence(files: Files): Promise<void> {
  if ((await files.read(FILE)) === undefined) await files.write(FILE, sealJson({}))
}

export async function openFence(files: Files): Promise<Fence> {
  const bytes = await files.read(FILE)
  const read = bytes && openJson(bytes, fenceFile)
  let epochs = new Map<ArchiveId, FencingEpoch>(Object.entries(read ?? {}))
  let durable = epochs
  const disk = groupCommit(async () => {
    const writing = epochs
    await files.write(FILE, sealJson(Object.fromEntries(writing)))
    durable = writing
  })
  return {
    lost: read === undefined,
    released: (archive) => epochs.get(archive),
    async release(archive, epoch) {
      if (read === undefined) throw new Error('the fence is lost')
      if ((durable.get(archive) ?? -1) >= epoch) return
      epochs = new Map(epochs)
      epochs.delete(archive)
      epochs.set(archive, Math.max(epoch, durable.get(archive) ?? 0))
      await disk.commit()
    },
    releases: () => [...durable].map(([archive, fencingEpoch]) => ({ archive, fencingEpoch })),
  }
}
