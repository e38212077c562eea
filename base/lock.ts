import { createHash } from 'node:crypto'
import net from 'node:net'
import { PpnError } from './errors.ts'

export interface Lock {
  release(): Promise<void>
}

/** sun_path holds 108 bytes, the leading NUL included. */
const LONGEST_NAME = 107

/**
 * Holds `name` on this machine until released or until the process ends, however it ends: the kernel drops an
 * abstract Unix socket (unix(7)) with its process, so nothing stale remains and nothing is written to a disk.
 * Throws FileLocked when somebody else holds it, LockNeedsLinux elsewhere.
 */
export async function holdAbstractLock(name: string): Promise<Lock> {
  if (process.platform !== 'linux') throw new PpnError('LockNeedsLinux')
  const short = Buffer.byteLength(name) <= LONGEST_NAME ? name : createHash('sha256').update(name).digest('hex')
  const server = net.createServer((socket) => socket.destroy())
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(error.code === 'EADDRINUSE' ? new PpnError('FileLocked', { path: name }, { cause: error }) : error),
    )
    server.listen({ path: `\0${short}` }, resolve)
  })
  // A lock alone is no reason for a process to go on.
  server.unref()
  return { release: () => new Promise((resolve) => server.close(() => resolve())) }
}
