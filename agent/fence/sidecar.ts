// What is known of an archive's disk beside its bytes: `archives/<id>/sidecar`. Law 9: nothing about nodes or
// enrolments is in it.
import { z } from 'zod'
import type { Files } from '../../base/files.ts'
import type { ArchiveId, Digest, FencingEpoch, Sequence, Term } from '../../protocol/ids.ts'
import { openJson, sealJson } from '../durable/sealed-json.ts'

const FILE = 'sidecar'
const id = z.string().regex(/^[0-9a-f]{32}$/) as unknown as z.ZodType<ArchiveId>
const u32 = z.int().min(0).max(0xffff_ffff)

const sidecar = z.strictObject({
  id,
  name: z.string().min(1).max(63),
  namespace: z.string().min(1).max(63),
  fencingEpoch: u32 as unknown as z.ZodType<FencingEpoch>,
  imageSha256: z.string().regex(/^[0-9a-f]{64}$/) as unknown as z.ZodType<Digest>,
  format: z.enum(['raw', 'qcow2']),
  /**
   * preparing: being made from its image; receiving: being pushed here, incomplete; ready: the disk is the archive;
   * retained: given up, kept.
   */
  state: z.enum(['preparing', 'receiving', 'ready', 'retained']),
  /** The disk's id where it is not the archive's own: an adopted one. */
  disk: id.optional(),
  /** While receiving: under which chunk-list root, and how many of its chunks are here and verified. */
  receiving: z
    .strictObject({ root: z.string().regex(/^[0-9a-f]{64}$/) as unknown as z.ZodType<Digest>, held: u32, chunks: u32 })
    .optional(),
  /** On a retained disk: the archive that took it over. */
  adoptedBy: id.optional(),
  /** The POWER command for which it was last started. */
  started: z
    .strictObject({ term: u32 as unknown as z.ZodType<Term>, sequence: u32 as unknown as z.ZodType<Sequence> })
    .optional(),
})
export type Sidecar = z.output<typeof sidecar>

export interface Sidecars {
  /** `unreadable` stays where it is: the archive is not started, and nothing is guessed. */
  read(archive: ArchiveId): Promise<Sidecar | 'unreadable' | undefined>
  write(value: Sidecar): Promise<void>
  remove(archive: ArchiveId): Promise<void>
}

export function sidecarsIn(files: Files): Sidecars {
  const folder = (archive: ArchiveId) => files.sub('archives').sub(archive)
  return {
    async read(archive) {
      const bytes = await folder(archive).read(FILE)
      if (!bytes) return undefined
      const read = openJson(bytes, sidecar)
      return read?.id === archive ? read : 'unreadable'
    },
    write: (value) => folder(value.id).write(FILE, sealJson(value)),
    remove: (archive) => folder(archive).remove(FILE),
  }
}

/** The id under which the image driver keeps the disk. */
export function diskOf(value: Sidecar): ArchiveId {
  return value.disk ?? value.id
}
