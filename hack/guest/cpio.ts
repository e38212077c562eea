// Archives in the "newc" format (Linux, Documentation/driver-api/early-userspace/buffer-format.rst): what the kernel
// unpacks into its first file system. The same entries give the same bytes, whoever makes them.

export interface CpioEntry {
  /** Without a leading slash; folders come before what is in them. */
  path: string
  /** Type and permission bits as in stat(2). */
  mode: number
  /** A file's bytes or a link's target. */
  content?: Uint8Array | string
  /** A character device's numbers. */
  device?: [major: number, minor: number]
}

export const FOLDER = 0o040755
export const FILE = 0o100644
export const PROGRAM = 0o100755
export const LINK = 0o120777
export const CHARACTER_DEVICE = 0o020600

const ALIGN = 4

export function cpio(entries: readonly CpioEntry[]): Buffer {
  const all = [...entries, { path: 'TRAILER!!!', mode: 0 }]
  return Buffer.concat(all.flatMap((entry, index) => one(entry, index + 1)))
}

function one({ path, mode, content = '', device = [0, 0] }: CpioEntry, inode: number): Buffer[] {
  const bytes = Buffer.from(content as string)
  const name = Buffer.from(`${path}\0`)
  // Order: inode, mode, uid, gid, links, mtime, size, device of the file system, device, length of the name, check.
  const numbers = [inode, mode, 0, 0, 1, 0, bytes.length, 0, 0, ...device, name.length, 0]
  const head = Buffer.from(`070701${numbers.map((n) => n.toString(16).padStart(8, '0')).join('')}`)
  return [padded(Buffer.concat([head, name])), padded(bytes)]
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((ALIGN - (bytes.length % ALIGN)) % ALIGN)])
}
