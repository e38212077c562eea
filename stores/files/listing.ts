// Which files make up a folder, and what tells that one of them changed.
import type { FileStat, FolderFs } from './fs.ts'

/** Entries looked at before a folder is taken for a mistake (`ppn up /`). */
const ENTRY_LIMIT = 100_000

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
  /** Nothing there at all but `.git`; dot names count. */
  empty: boolean
}

const OBJECT_FILE = /\.(ya?ml|json)$/

class TooManyEntries extends Error {
  constructor() {
    super(`more than ${ENTRY_LIMIT} entries`)
  }
}

/** Each real file once: by its path for links, by its inode where it has several names. */
function fileCollector() {
  const files: ListedFile[] = []
  const odd: string[] = []
  const inodes = new Set<string>()
  let paths: Set<string> | undefined
  return {
    files,
    odd,
    add(file: string, real: string, stat: FileStat) {
      if (!OBJECT_FILE.test(file)) return
      if (stat.type !== 'file') return void odd.push(file)
      if (paths) {
        if (paths.has(real)) return
        paths.add(real)
      }
      if (stat.nlink > 1n) {
        const inode = `${stat.dev}:${stat.ino}`
        if (inodes.has(inode)) return
        inodes.add(inode)
      }
      files.push({ file, real, stat })
    },
    /** From here on real paths are compared too: links come. */
    expectLinks() {
      paths = new Set(files.map((listed) => listed.real))
    },
  }
}

/** A link to nowhere that cannot have been a folder or a file of objects: `README.md`. */
const harmless = (file: string, error: unknown) =>
  (error as NodeJS.ErrnoException).code === 'ENOENT' && /\.[^./]+$/.test(file) && !OBJECT_FILE.test(file)

/**
 * Lists everything below a resolved root. Throws what the file system throws: a part that cannot be seen is no
 * listing. Links are followed after the plain names, so that a file goes by its own name; they may lead outside.
 */
export async function listFolder(fs: FolderFs, root: string): Promise<Listing> {
  const found = fileCollector()
  const folders = new Set<string>([root])
  const links: { file: string; at: string }[] = []
  let entries = 0
  let empty = true

  const visit = async (real: string, shown: string): Promise<void> => {
    const listed = await fs.entries(real)
    entries += listed.length
    if (entries > ENTRY_LIMIT) throw new TooManyEntries()
    for (const { name, type } of listed) {
      if (name !== '.git') empty = false
      if (name.startsWith('.')) continue
      const file = shown === '' ? name : `${shown}/${name}`
      const at = `${real}/${name}`
      if (type === 'link') links.push({ file, at })
      else if (type === 'folder') await visitOnce(at, file)
      else if (OBJECT_FILE.test(name)) {
        // Awaiting a thousand values that are there already would cost as much as asking for them.
        const stat = fs.stat(at)
        found.add(file, at, stat instanceof Promise ? await stat : stat)
      }
    }
  }
  const visitOnce = async (real: string, shown: string): Promise<void> => {
    if (folders.has(real)) return
    folders.add(real)
    await visit(real, shown)
  }

  const followLink = async (file: string, at: string): Promise<void> => {
    let real: string
    try {
      real = await fs.realPath(at)
    } catch (error) {
      if (harmless(file, error)) return
      throw error
    }
    const stat = await fs.stat(real)
    if (stat.type === 'folder') await visitOnce(real, file)
    else found.add(file, real, stat)
  }

  await visit(root, '')
  if (links.length > 0) found.expectLinks()
  // In the order of names, so that of two links to one file the same one counts every time.
  for (let next = links.splice(0).sort(byFile); next.length > 0; next = links.splice(0).sort(byFile)) {
    for (const { file, at } of next) await followLink(file, at)
  }
  return { files: found.files.sort(byFile), odd: found.odd.sort(), empty }
}

const byFile = (a: { file: string }, b: { file: string }) => (a.file < b.file ? -1 : 1)

export function sameStat(a: FileStat, b: FileStat): boolean {
  return a.ino === b.ino && a.size === b.size && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs && a.dev === b.dev
}

/** Whether nothing happened between two listings. */
export function sameListing(a: Listing, b: Listing): boolean {
  return (
    a.files.length === b.files.length &&
    a.odd.length === b.odd.length &&
    a.files.every((was, i) => {
      const is = b.files[i]!
      return was.file === is.file && was.real === is.real && sameStat(was.stat, is.stat)
    })
  )
}
