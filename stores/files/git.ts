// Whether git is at work on the folder just now.
import path from 'node:path'
import type { FolderFs } from './fs.ts'

/** Longest `.git` file that is read: it holds one path. */
const POINTER_LIMIT = 8192

const missing = (error: unknown) => ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')

/** A `.git` that is a file names the real folder (gitrepository-layout(5)): worktrees and submodules. */
async function gitFolder(fs: FolderFs, dotGit: string): Promise<string | undefined> {
  try {
    const { type } = await fs.stat(dotGit)
    if (type !== 'file') return dotGit
    const text = new TextDecoder().decode(await fs.read(dotGit, POINTER_LIMIT))
    const pointer = /^gitdir: (.+)$/m.exec(text)?.[1]
    return pointer && path.resolve(path.dirname(dotGit), pointer.trim())
  } catch (error) {
    if (missing(error)) return undefined
    throw error
  }
}

/** A lock file of the work tree that `root` lies in, by its path; undefined when git is at rest or not there. */
export async function gitLock(fs: FolderFs, root: string): Promise<string | undefined> {
  for (let at = root; ; at = path.dirname(at)) {
    const folder = await gitFolder(fs, path.join(at, '.git'))
    if (folder !== undefined) {
      try {
        const lock = (await fs.entries(folder)).find(({ name }) => name.endsWith('.lock'))
        return lock && path.join(folder, lock.name)
      } catch (error) {
        if (missing(error)) return undefined
        throw error
      }
    }
    if (at === path.dirname(at)) return undefined
  }
}
