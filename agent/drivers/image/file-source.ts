import { constants } from 'node:fs'
import { type FileHandle, open, readlink, realpath } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { absent } from './file-handles.ts'
import { ImageFailure } from './port.ts'
import type { OpenImage, SourceOptions } from './source.ts'

const READ_BYTES = 1_048_576

/**
 * A regular file in or below an allowed folder, given as a `file:` URL or as a path, a relative one below any of them.
 * What leads out of the folders by `..` or by a link is SourceNotAllowed, also when the path changes while we look:
 * what was opened is what is judged.
 */
export async function openImageFile(
  source: string,
  { allowedFolders }: Pick<SourceOptions, 'allowedFolders'>,
): Promise<OpenImage> {
  const roots = (await Promise.all(allowedFolders.map((folder) => realpath(folder).catch(absent)))).filter(
    (root) => root !== undefined,
  )
  const named = pathOf(source)
  const within = (file: string) => roots.some((root) => file.startsWith(root.endsWith('/') ? root : `${root}/`))
  const candidates = path.isAbsolute(named) ? [named] : roots.map((root) => path.join(root, named))
  const notAllowed = new ImageFailure('SourceNotAllowed', `${source} is in no allowed folder`)
  // Judged before it is looked at: what is outside is not even found to exist.
  if (!candidates.some((file) => allowedFolders.some((folder) => isBelow(folder, file)) || within(file)))
    throw notAllowed
  for (const candidate of candidates) {
    const file = await realpath(candidate).catch(absent)
    if (file === undefined) continue
    if (!within(file)) throw notAllowed
    // A pipe without a writer would hold up the opening.
    const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(absent)
    if (!handle) continue
    try {
      if (!within(await readlink(`/proc/self/fd/${handle.fd}`))) throw notAllowed
      const stat = await handle.stat()
      if (!stat.isFile()) throw new ImageFailure('SourceNotAllowed', `${source} is not a regular file`)
      return {
        bytes: contentOf(handle),
        sizeBytes: stat.size,
        roomBytes: Math.min(stat.size, stat.blocks * 512),
        close: () => handle.close(),
      }
    } catch (error) {
      await handle.close()
      throw error
    }
  }
  throw new ImageFailure('ImageNotFound', `${source} is not there`)
}

function pathOf(source: string): string {
  if (!source.startsWith('file:')) return source
  try {
    return fileURLToPath(source)
  } catch {
    throw new ImageFailure('SourceNotAllowed', `${source} names no file of this machine`)
  }
}

const isBelow = (folder: string, file: string) => path.resolve(file).startsWith(`${path.resolve(folder)}/`)

async function* contentOf(handle: FileHandle): AsyncGenerator<Uint8Array> {
  for (;;) {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(READ_BYTES), 0, READ_BYTES)
    if (bytesRead === 0) return
    yield buffer.subarray(0, bytesRead)
  }
}
