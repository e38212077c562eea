// Images and disks of a simulated node. No network: the content of `https://...` is, by definition, the UTF-8 bytes
// of that URL. Its SHA-256 is therefore something a fleet's author can write down, and a wrong one is refused as it
// would be with a real image.
import { createHash } from 'node:crypto'
import type { Clock } from '../../../base/clock.ts'
import type { Files } from '../../../base/files.ts'
import type { ArchiveId, Digest } from '../../../protocol/ids.ts'
import { CHUNK_BYTES, DISK_CAPACITY_MIB, DISK_KEEPS_BYTES, IMAGE_COPY_MS } from '../figures.ts'
import { type DiskInfo, type ImageDriver, ImageFailure, type ImageSpec } from './port.ts'

export interface SimulatedImageOptions {
  /** Where disks are kept: `<id>.disk` and `<id>.json`. */
  files: Files
  clock: Clock
  /** Shown before a disk's file name in `DiskInfo.path`. */
  folder?: string
  /**
   * Reads an image given as a file: its SHA-256 and its first `keep` bytes. Undefined: no such file. Without this
   * function no file is allowed as a source.
   */
  readImage?: (source: string, keep: number) => Promise<{ sha256: Digest; head: Uint8Array } | undefined>
}

export interface SimulatedImages extends ImageDriver {
  /** Room for disks, MiB: what a full disk is scripted with. */
  setCapacity(mib: number): void
}

/** What is known of a disk beside its bytes; written last, so that a half-made disk is none. */
interface Sidecar {
  imageSha256: Digest
  bytes: number
}

/** A disk that came in chunks was not made here: which image it once was its bundle knows, not this driver. */
const IMAGE_UNKNOWN: Digest = '0'.repeat(64)

export function simulatedImageDriver(options: SimulatedImageOptions): SimulatedImages {
  const { files, clock, folder = 'disks' } = options
  const making = new Map<ArchiveId, Promise<DiskInfo>>()
  let capacityMiB = DISK_CAPACITY_MIB

  const disk = async (id: ArchiveId): Promise<DiskInfo | undefined> => {
    const bytes = await files.read(`${id}.json`)
    if (!bytes) return undefined
    const sidecar = JSON.parse(Buffer.from(bytes).toString()) as Sidecar
    const sizeMiB = Math.max(1, Math.ceil(sidecar.bytes / CHUNK_BYTES))
    return { id, path: `${folder}/${id}.disk`, sizeMiB, imageSha256: sidecar.imageSha256 }
  }
  const list = async (): Promise<DiskInfo[]> => {
    const ids = (await files.list()).filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -5))
    return (await Promise.all(ids.map(disk))).filter((one) => one !== undefined)
  }
  const put = async (id: ArchiveId, bytes: Uint8Array, imageSha256: Digest): Promise<void> => {
    const others = (await list()).filter((one) => one.id !== id)
    const usedMiB = others.reduce((sum, { sizeMiB }) => sum + sizeMiB, 0)
    const wantedMiB = Math.max(1, Math.ceil(bytes.length / CHUNK_BYTES))
    if (usedMiB + wantedMiB > capacityMiB) {
      throw new ImageFailure('DiskFull', `${wantedMiB} MiB wanted, ${Math.max(0, capacityMiB - usedMiB)} MiB left`)
    }
    await files.write(`${id}.disk`, bytes)
    await files.write(`${id}.json`, Buffer.from(JSON.stringify({ imageSha256, bytes: bytes.length } satisfies Sidecar)))
  }
  const make = async (id: ArchiveId, image: ImageSpec, signal: AbortSignal): Promise<DiskInfo> => {
    const there = await disk(id)
    if (there) return there
    const { sha256, head } = await content(image.source, options)
    if (sha256 !== image.sha256) {
      throw new ImageFailure('ImageDigestMismatch', `${image.source} is ${sha256}, declared ${image.sha256}`)
    }
    await clock.sleep(IMAGE_COPY_MS, signal)
    await put(id, head, sha256)
    return (await disk(id)) as DiskInfo
  }

  return {
    disk,
    list,
    create: (id, image, signal) => {
      const pending = making.get(id) ?? make(id, image, signal).finally(() => making.delete(id))
      making.set(id, pending)
      return pending
    },
    destroy: async (id) => {
      // The sidecar first: without it the disk is gone, however far the rest comes.
      await files.remove(`${id}.json`)
      await files.remove(`${id}.disk`)
    },
    readChunk: async (id, index) => {
      const bytes = (await disk(id)) && (await files.read(`${id}.disk`))
      if (!bytes) throw new ImageFailure('ImageNotFound', `no disk ${id}`)
      return bytes.slice(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES)
    },
    writeChunk: async (id, index, chunk) => {
      const before = (await files.read(`${id}.disk`)) ?? new Uint8Array()
      const bytes = new Uint8Array(Math.max(before.length, index * CHUNK_BYTES + chunk.length))
      bytes.set(before)
      bytes.set(chunk, index * CHUNK_BYTES)
      await put(id, bytes, (await disk(id))?.imageSha256 ?? IMAGE_UNKNOWN)
    },
    setCapacity: (mib) => {
      capacityMiB = mib
    },
  }
}

async function content(source: string, { readImage }: SimulatedImageOptions) {
  if (source.startsWith('https://')) {
    const bytes = Buffer.from(source)
    return { sha256: createHash('sha256').update(bytes).digest('hex') as Digest, head: new Uint8Array(bytes) }
  }
  const otherScheme = /^[a-z][a-z0-9+.-]*:/.test(source) && !source.startsWith('file:')
  if (otherScheme || !readImage) throw new ImageFailure('SourceNotAllowed', `${source} is no allowed source`)
  const image = await readImage(source, DISK_KEEPS_BYTES)
  if (!image) throw new ImageFailure('ImageNotFound', `${source} is not there`)
  return image
}
