// Images and the disks made from them. The disk made from an image *is* the archive from then on.
import type { ArchiveId, Digest, MiB } from '../../../protocol/ids.ts'

export interface ImageSpec {
  source: string
  sha256: Digest
  format: 'raw' | 'qcow2'
}

export interface DiskInfo {
  id: ArchiveId
  path: string
  sizeMiB: MiB
  /** Of the image the disk was made from. */
  imageSha256: Digest
}

/**
 * Failures that the archive's report names. ImageFormatRefused: not in the declared format, or one that makes QEMU open
 * other files. ImageUnreachable: its host did not answer, or not to the end.
 */
export type ImageError =
  | 'ImageNotFound'
  | 'ImageDigestMismatch'
  | 'ImageFormatRefused'
  | 'ImageTooLarge'
  | 'ImageUnreachable'
  | 'DiskFull'
  | 'SourceNotAllowed'
export class ImageFailure extends Error {
  readonly code: ImageError
  constructor(code: ImageError, message: string) {
    super(message)
    this.code = code
  }
}

export interface ImageDriver {
  disk(id: ArchiveId): Promise<DiskInfo | undefined>
  list(): Promise<DiskInfo[]>
  /** Makes the disk once from the image, verifying its digest. No-op when the disk is there. Throws ImageFailure. */
  create(id: ArchiveId, image: ImageSpec, signal: AbortSignal): Promise<DiskInfo>
  /** Deletes the disk for good. */
  destroy(id: ArchiveId): Promise<void>
  /** For a move: reads and writes a disk in chunks of 1 MiB. */
  readChunk(id: ArchiveId, index: number): Promise<Uint8Array>
  writeChunk(id: ArchiveId, index: number, bytes: Uint8Array): Promise<void>
}
