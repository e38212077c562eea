// The few questions a folder source asks of a file system. Answers may come at once or later: a local disk is asked
// synchronously (a folder of 1,000 files is listed in a few milliseconds, where promises take fifty), a network file
// system asynchronously (it may hang, and must not take the control plane with it).
import fs from 'node:fs'
import fsp from 'node:fs/promises'

type Maybe<T> = T | Promise<T>

type EntryType = 'file' | 'folder' | 'link' | 'other'

interface Entry {
  name: string
  type: EntryType
}

export interface FileStat {
  type: EntryType
  dev: bigint
  ino: bigint
  size: bigint
  mtimeNs: bigint
  ctimeNs: bigint
  /** Names of this file: above 1 it may be found twice. */
  nlink: bigint
}

/** Failures are thrown as Node's, with a `code`. */
export interface FolderFs {
  realPath(path: string): Maybe<string>
  /** In any order; dot names included. */
  entries(folder: string): Maybe<readonly Entry[]>
  /** Follows links. */
  stat(path: string): Maybe<FileStat>
  /** At most `limit` bytes. */
  read(path: string, limit: number): Maybe<Uint8Array>
  /** `f_type` of statfs(2). */
  fileSystemType(path: string): Maybe<number>
}

interface Typed {
  isFile(): boolean
  isDirectory(): boolean
  isSymbolicLink(): boolean
}

const typeOf = (it: Typed): EntryType =>
  it.isFile() ? 'file' : it.isDirectory() ? 'folder' : it.isSymbolicLink() ? 'link' : 'other'

const entryOf = (it: fs.Dirent): Entry => ({ name: it.name, type: typeOf(it) })

function statOf(stat: fs.BigIntStats): FileStat {
  const { dev, ino, size, mtimeNs, ctimeNs, nlink } = stat
  return { type: typeOf(stat), dev, ino, size, mtimeNs, ctimeNs, nlink }
}

export function localFs(): FolderFs {
  return {
    realPath: (path) => fs.realpathSync.native(path),
    entries: (folder) => fs.readdirSync(folder, { withFileTypes: true }).map(entryOf),
    stat: (path) => statOf(fs.statSync(path, { bigint: true })),
    read(path, limit) {
      const fd = fs.openSync(path, 'r')
      try {
        const buffer = Buffer.allocUnsafe(Math.min(limit, fs.fstatSync(fd).size + 1))
        let length = 0
        for (let n = 1; n > 0 && length < buffer.length; length += n)
          n = fs.readSync(fd, buffer, length, buffer.length - length, null)
        return buffer.subarray(0, length)
      } finally {
        fs.closeSync(fd)
      }
    },
    fileSystemType: (path) => fs.statfsSync(path).type,
  }
}

export function remoteFs(): FolderFs {
  return {
    realPath: (path) => fsp.realpath(path),
    entries: async (folder) => (await fsp.readdir(folder, { withFileTypes: true })).map(entryOf),
    stat: async (path) => statOf(await fsp.stat(path, { bigint: true })),
    async read(path, limit) {
      const bytes = await fsp.readFile(path)
      return bytes.subarray(0, limit)
    },
    fileSystemType: async (path) => (await fsp.statfs(path)).type,
  }
}
