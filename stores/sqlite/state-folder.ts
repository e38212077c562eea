import { existsSync, mkdirSync, realpathSync, statfsSync } from 'node:fs'
import path from 'node:path'
import { PpnError } from '../../base/errors.ts'
import { networkFileSystem } from '../common/network-fs.ts'

/** What the check needs of the machine; replaced in tests. */
export interface StateFolderProbe {
  fileSystemType(folder: string): number
}

const realProbe: StateFolderProbe = { fileSystemType: (folder) => statfsSync(folder).type }

/** The nearest ancestor (or the path itself) that is there, resolved, and the rest of the path. */
function resolveExisting(folder: string): string {
  let at = path.resolve(folder)
  let rest = ''
  while (!existsSync(at)) {
    rest = path.join(path.basename(at), rest)
    at = path.dirname(at)
  }
  return path.join(realpathSync(at), rest)
}

/**
 * Refuses a place where keys would be committed (a git work tree: `StateInGit`) or where neither locks nor fsync can
 * be trusted (`StateOnNetwork`). The folder need not exist yet. Gives the resolved path.
 */
export function checkStateFolder(folder: string, probe: StateFolderProbe = realProbe): string {
  const resolved = resolveExisting(folder)
  for (let at = resolved; ; at = path.dirname(at)) {
    if (existsSync(path.join(at, '.git'))) throw new PpnError('StateInGit', { path: resolved, tree: at })
    if (at === path.dirname(at)) break
  }
  let existing = resolved
  while (!existsSync(existing)) existing = path.dirname(existing)
  const type = networkFileSystem(probe.fileSystemType(existing))
  if (type !== undefined) throw new PpnError('StateOnNetwork', { path: resolved, type })
  return resolved
}

/** Checks the folder and makes it, readable to nobody else. */
export function makeStateFolder(folder: string, probe?: StateFolderProbe): string {
  const resolved = checkStateFolder(folder, probe)
  mkdirSync(resolved, { recursive: true, mode: 0o700 })
  return resolved
}
