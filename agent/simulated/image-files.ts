// Image files of a simulated node: real files in one allowed folder.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { realpath } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { ImageFailure } from '../drivers/image/port.ts'
import type { SimulatedImageOptions } from '../drivers/image/simulated.ts'

/**
 * Reads images below `folder`, given as `file:` URLs or as paths relative to it. A source that leads out of the
 * folder, by `..` or by a link, is SourceNotAllowed.
 */
export function imageFiles(folder: string): NonNullable<SimulatedImageOptions['readImage']> {
  return async (source, keep) => {
    const named = source.startsWith('file:') ? fileURLToPath(source) : path.resolve(folder, source)
    const [root, file] = await Promise.all([realpath(folder), realpath(named).catch(absent)])
    if (file === undefined) return undefined
    if (!file.startsWith(root + path.sep)) throw new ImageFailure('SourceNotAllowed', `${source} is outside ${folder}`)
    const hash = createHash('sha256')
    const head: Buffer[] = []
    let kept = 0
    for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
      hash.update(chunk)
      const part = chunk.subarray(0, keep - kept)
      kept += part.length
      head.push(part)
    }
    return { sha256: hash.digest('hex'), head: Buffer.concat(head) }
  }
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error
}
