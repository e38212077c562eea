// Which files make up a folder, and what tells that one of them changed.
import path from 'node:path'
import type { EntryType, FileStat, FolderFs } from './fs.ts'

/** Entries looked at before a folder is taken for a mistake (`ppn up /`). */
export const ENTRY_LIMIT = 100_000

export interface ListedFile {
  /** Relative to the root, as a person would name it. */
  file: string
  real: string
  stat: FileStat
}

export interface Listing {
  /** Sorted by name; one entry for each real file. */
  files: readonly ListedFile[]
  /** Named like objects, but neither file nor folder. */
  odd: readonly string[]
  /** Anything there at all, dot names included, but for `.git`. */
  empty: boolean
}

const OBJECT_FILE = /\.(ya?ml|json)$/

class TooManyEntries extends Error {
  constructor() {
    super(`more than ${ENTRY_LIMIT} entries`)
  }
}

/** Lists everything below a resolved root. Throws what the file system throws: a part that cannot be seen is no listing. */
export async function listFolder(fs: FolderFs, root: string): Promise<Listing> {
  const files: ListedFile[] = []
  const odd: string[] = []
  const seen = new Set<string>([root])
  let entries = 0
  let empty = true

  const addFile = (file: string, real: string, stat: FileStat) => {
    if (!OBJECT_FILE.test(file)) return
    if (stat.type !== 'file') return void odd.push(file)
    const identity = `${stat.dev}:${stat.ino}`
    if (seen.has(identity)) return
    seen.add(identity)
    files.push({ file, real, stat })
  }
  /** Links wait until the plain names of the whole tree are known, so that a file goes by its own name. */
  const links: { file: string; at: string }[] = []

  const visit = async (real: string, shown: string): Promise<void> => {
    const listed = [...(await fs.entries(real))].sort((a, b) => (a.name < b.name ? -1 : 1))
    entries += listed.length
    if (entries > ENTRY_LIMIT) throw new TooManyEntries()
    for (const { name, type } of listed) {
      if (name !== '.git') empty = false
      if (name.startsWith('.')) continue
      const file = shown === '' ? name : `${shown}/${name}`
      await place(type, file, path.join(real, name))
    }
  }
  const place = async (type: EntryType, file: string, at: string): Promise<void> => {
    if (type === 'link') links.push({ file, at })
    else if (type === 'folder') {
      if (seen.has(at)) return
      seen.add(at)
      await visit(at, file)
    } else if (OBJECT_FILE.test(file)) addFile(file, at, await fs.stat(at))
  }

  await visit(root, '')
  for (let link = links.shift(); link; link = links.shift()) {
    const real = await fs.realPath(link.at)
    const stat = await fs.stat(real)
    if (stat.type === 'folder') await place('folder', link.file, real)
    else addFile(link.file, real, stat)
  }
  files.sort((a, b) => (a.file < b.file ? -1 : 1))
  return { files, odd, empty }
}

export function sameStat(a: FileStat, b: FileStat): boolean {
  return a.ino === b.ino && a.size === b.size && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs && a.dev === b.dev
}

/** Whether nothing happened between two listings. */
export function sameListing(a: Listing, b: Listing): boolean {
  return (
    a.files.length === b.files.length &&
    a.files.every((was, i) => {
      const is = b.files[i]!
      return was.file === is.file && was.real === is.real && sameStat(was.stat, is.stat)
    })
  )
}
