// The kernel's pseudo-files (/proc, /sys/fs/cgroup). They answer from memory, so reading one is synchronous; they are
// not durable files, hence not `Files`.
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'

export interface KernelFiles {
  /** undefined: no such file, or the process it spoke of is gone. Any other failure throws. */
  read(path: string): string | undefined
  /** One write(2). Throws what the kernel answers, e.g. EBUSY. */
  write(path: string, text: string): void
  /** A folder of cgroupfs is a group. No error when it is there. */
  makeFolder(path: string): void
  /** false: it is not there, or not empty (a group with processes is not). */
  removeFolder(path: string): boolean
  /** Names of the folders in it, sorted; none when it is not there. */
  folders(path: string): string[]
}

/** ESRCH and ENODEV: the process or group went while the file was open. */
const GONE = new Set(['ENOENT', 'ENOTDIR', 'ESRCH', 'ENODEV'])

function unless<T>(codes: ReadonlySet<string>, work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    if (codes.has((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}

export function kernelFiles(): KernelFiles {
  return {
    read: (path) => unless(GONE, () => readFileSync(path, 'utf8')),
    write: (path, text) => writeFileSync(path, text, { flag: 'r+' }),
    makeFolder: (path) => void unless(new Set(['EEXIST']), () => mkdirSync(path)),
    removeFolder: (path) =>
      unless(new Set([...GONE, 'EBUSY', 'ENOTEMPTY']), () => {
        rmdirSync(path)
        return true
      }) ?? false,
    folders: (path) =>
      (unless(GONE, () => readdirSync(path, { withFileTypes: true })) ?? [])
        .filter((entry) => entry.isDirectory())
        .map((entry) => entry.name)
        .sort(),
  }
}
