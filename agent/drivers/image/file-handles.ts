// What node:fs leaves to its callers.
import { type FileHandle, open } from 'node:fs/promises'

/** For `.catch`: undefined when there is no such file. */
export function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error
}

/** `length` bytes, or fewer at the end of the file; read(2) may give less than there is. */
export async function readUpTo(from: FileHandle, length: number, position: number): Promise<Uint8Array> {
  const buffer = Buffer.alloc(length)
  let have = 0
  while (have < length) {
    const { bytesRead } = await from.read(buffer, have, length - have, position + have)
    if (bytesRead === 0) break
    have += bytesRead
  }
  return buffer.subarray(0, have)
}

/** write(2) may take less than it is given. */
export async function writeAll(to: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await to.write(bytes, done, bytes.length - done, position + done)
    done += bytesWritten
  }
}

/** Makes names in it durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
