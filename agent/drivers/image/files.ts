// Disks as files: `<folder>/<id>/disk`, beside the archive's sidecar. A disk is there whole or not at all: it is copied
// to a file of another name, verified, made durable, and only then called `disk`.
import { constants } from 'node:fs'
import { type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import type { Clock } from '../../../base/clock.ts'
import { diskFiles } from '../../../base/disk-files.ts'
import type { Logger } from '../../../base/log.ts'
import type { ArchiveId, Digest } from '../../../protocol/ids.ts'
import { CHUNK_BYTES } from '../figures.ts'
import { copySparsely, isZero, tooLarge } from './copy.ts'
import { absent, readUpTo, syncFolder, writeAll } from './file-handles.ts'
import { type DiskInfo, type ImageDriver, ImageFailure, type ImageSpec } from './port.ts'
import { QCOW2_HEADER_BYTES, qcow2Refusal } from './qcow2-header.ts'
import { asDiskFull, demandRoom, roomIn } from './room.ts'
import { openSource } from './source.ts'

export interface FileImagesOptions {
  /** The agent's `archives` folder; made when first needed. */
  folder: string
  /** Absolute paths: images are files in or below these. */
  allowedFolders: readonly string[]
  /** `host` (port 443) or `host:port`. */
  allowedHosts: readonly string[]
  clock: Clock
  log: Logger
  /** Certificates, PEM, trusted beside those that come with Node. */
  ca?: readonly string[]
  /** No image may be larger; default 1 TiB. */
  maxImageBytes?: number
  /** Bytes that may still be written below a folder; default: what its file system says. */
  room?: (folder: string) => Promise<number>
}

const DISK = 'disk'
const UNFINISHED = '.disk.new'
/** Which image the disk was made from. Written before the disk: without one it says nothing. */
const NOTE = 'image'
const ID = /^[0-9a-f]{32}$/
const MAX_IMAGE_BYTES = 2 ** 40
/** A disk that came in chunks was not made here: which image it once was its bundle knows, not this driver. */
const IMAGE_UNKNOWN = '0'.repeat(64) as Digest

const note = z.strictObject({ imageSha256: z.string().regex(/^[0-9a-f]{64}$/) })

/**
 * Real disks, 0600 and the agent's own: a VM gets its disk as an open file. What a crash left half made is removed
 * before anything else is done. Chunks are durable when `writeChunk` resolves. Sources: source.ts.
 */
export function fileImages(options: FileImagesOptions): ImageDriver {
  const { folder, log, maxImageBytes = MAX_IMAGE_BYTES, room = roomIn } = options
  const notes = diskFiles(folder)
  const making = new Map<ArchiveId, Promise<DiskInfo>>()
  const at = (id: ArchiveId, name: string) => path.join(folder, id, name)

  const sweep = async (): Promise<void> => {
    for (const id of await idsIn(folder)) {
      if (!(await stat(at(id, UNFINISHED)).catch(absent))) continue
      await rm(at(id, UNFINISHED), { force: true })
      log.info({ archive: id }, 'a disk that was half made when the agent ended is removed')
    }
  }
  const swept = sweep().catch((error) => log.warn({ err: String(error) }, 'half-made disks could not be removed'))

  const disk = async (id: ArchiveId): Promise<DiskInfo | undefined> => {
    const found = await stat(at(id, DISK)).catch(absent)
    if (!found?.isFile()) return undefined
    const sizeMiB = Math.max(1, Math.ceil(found.size / CHUNK_BYTES))
    return { id, path: at(id, DISK), sizeMiB, imageSha256: await imageOf(id) }
  }
  const imageOf = async (id: ArchiveId): Promise<Digest> => {
    const bytes = await notes.sub(id).read(NOTE)
    const read = note.safeParse(bytes && parsed(bytes))
    return read.success ? (read.data.imageSha256 as Digest) : IMAGE_UNKNOWN
  }

  const make = async (id: ArchiveId, image: ImageSpec, signal: AbortSignal): Promise<DiskInfo> => {
    await swept
    signal.throwIfAborted()
    const there = await disk(id)
    if (there) return there
    const source = await openSource(image.source, options, signal)
    try {
      if ((source.sizeBytes ?? 0) > maxImageBytes) throw tooLarge(maxImageBytes)
      await notes.sub(id).write(NOTE, Buffer.from(JSON.stringify({ imageSha256: image.sha256 })))
      demandRoom(await room(folder), source.roomBytes)
      const unfinished = await open(at(id, UNFINISHED), 'wx+', 0o600)
      try {
        const sha256 = await copySparsely(source.bytes, unfinished, maxImageBytes, signal)
        if (sha256 !== image.sha256)
          throw new ImageFailure('ImageDigestMismatch', `${image.source} is ${sha256}, declared ${image.sha256}`)
        if (image.format === 'qcow2') await demandSelfContained(unfinished, image.source)
        await unfinished.sync()
      } finally {
        await unfinished.close()
      }
      signal.throwIfAborted()
      await rename(at(id, UNFINISHED), at(id, DISK))
      await syncFolder(path.join(folder, id))
    } catch (error) {
      await rm(at(id, UNFINISHED), { force: true }).catch(() => {})
      throw asDiskFull(error)
    } finally {
      await source.close()
    }
    return (await disk(id)) as DiskInfo
  }

  return {
    disk,
    list: async () => {
      const found = await Promise.all((await idsIn(folder)).map(disk))
      return found.filter((one) => one !== undefined)
    },
    create: (id, image, signal) => {
      const pending = making.get(id) ?? make(id, image, signal).finally(() => making.delete(id))
      making.set(id, pending)
      return pending
    },
    destroy: async (id) => {
      await making.get(id)?.catch(() => {})
      await rm(at(id, UNFINISHED), { force: true })
      // The disk first: a note alone is nothing.
      await rm(at(id, DISK), { force: true })
      await notes.sub(id).remove(NOTE)
      if (await stat(path.join(folder, id)).catch(absent)) await syncFolder(path.join(folder, id))
    },
    readChunk: async (id, index) => {
      const handle = await open(at(id, DISK), constants.O_RDONLY | constants.O_NOFOLLOW).catch(absent)
      if (!handle) throw new ImageFailure('ImageNotFound', `no disk ${id}`)
      try {
        return await readUpTo(handle, CHUNK_BYTES, index * CHUNK_BYTES)
      } finally {
        await handle.close()
      }
    },
    writeChunk: async (id, index, bytes) => {
      try {
        await putChunk(id, index, bytes)
      } catch (error) {
        throw asDiskFull(error)
      }
    },
  }

  async function putChunk(id: ArchiveId, index: number, bytes: Uint8Array): Promise<void> {
    const position = index * CHUNK_BYTES
    const isNew = !(await stat(at(id, DISK)).catch(absent))
    if (isNew) await notes.sub(id).write(NOTE, Buffer.from(JSON.stringify({ imageSha256: IMAGE_UNKNOWN })))
    const { O_RDWR, O_CREAT, O_NOFOLLOW } = constants
    const handle = await open(at(id, DISK), O_RDWR | O_CREAT | O_NOFOLLOW, 0o600)
    try {
      const { size } = await handle.stat()
      const end = position + bytes.length
      if (end > size) demandRoom(await room(folder), end - size)
      if (position >= size && isZero(bytes)) await handle.truncate(end)
      else await writeAll(handle, bytes, position)
      await handle.datasync()
    } finally {
      await handle.close()
    }
    if (isNew) await syncFolder(path.join(folder, id))
  }
}

async function idsIn(folder: string): Promise<ArchiveId[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(absent)
  return (entries ?? [])
    .filter((entry) => entry.isDirectory() && ID.test(entry.name))
    .map((entry) => entry.name as ArchiveId)
    .sort()
}

async function demandSelfContained(handle: FileHandle, source: string): Promise<void> {
  const refusal = qcow2Refusal(await readUpTo(handle, QCOW2_HEADER_BYTES, 0))
  if (refusal !== undefined) throw new ImageFailure('ImageFormatRefused', `${source} ${refusal}`)
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString())
  } catch {
    return undefined
  }
}
