// One complete reading of a folder, or the reason why there is none. Nothing is ever read by halves (law 3).
import path from 'node:path'
import type { Clock } from '../../base/clock.ts'
import { type ReadPlace, snapshotOf } from '../common/documents.ts'
import { problemOf } from '../common/problem.ts'
import type { SourceSnapshot } from '../common/snapshot.ts'
import type { FileStat, FolderFs } from './fs.ts'
import { gitLock } from './git.ts'
import { type ListedFile, type Listing, listFolder, sameListing, sameStat } from './listing.ts'
import { FILE_LIMIT_BYTES, parseFile } from './parse-file.ts'

/** The folder behind the root's name, as it is just now: another one when the name was switched. */
export interface RootIdentity {
  real: string
  identity: string
}

export type ReadOutcome =
  | { type: 'complete'; snapshot: SourceSnapshot; root: RootIdentity; parsed: number }
  /** As at the last complete reading, whose snapshot this is. */
  | { type: 'same'; snapshot: SourceSnapshot; root: RootIdentity }
  /** Somebody is at work there: it will pass. */
  | { type: 'unsettled'; why: string; root?: RootIdentity }
  | { type: 'unreadable'; why: string; root?: RootIdentity }

export interface FolderReader {
  read(): Promise<ReadOutcome>
}

interface Cached {
  stat: FileStat
  bytes: Uint8Array
  place: ReadPlace
  /** So young when it was read that a change in the same tick of the file system's clock would not show. */
  young: boolean
}

/** Above the granularity of time stamps: 4-10 ms on ext4 and tmpfs. */
const YOUNG_MS = 20

const VANISHED = ['ENOENT', 'ENOTDIR', 'ESTALE']

const why = (error: unknown) => (error instanceof Error ? error.message : String(error))
const code = (error: unknown) => (error as NodeJS.ErrnoException).code

export function folderReader(given: string, fs: FolderFs, clock: Clock): FolderReader {
  let cache = new Map<string, Cached>()
  let last: { listing: Listing; root: RootIdentity; snapshot: SourceSnapshot } | undefined

  const resolveRoot = async (): Promise<RootIdentity> => {
    const real = await fs.realPath(given)
    const stat = await fs.stat(real)
    if (stat.type !== 'folder') throw new Error(`${given} is not a folder`)
    return { real, identity: `${real}:${stat.dev}:${stat.ino}` }
  }
  const isYoung = ({ ctimeNs }: FileStat) => Math.abs(Number(ctimeNs / 1_000_000n) - clock.now()) < YOUNG_MS

  const load = async (listed: ListedFile, next: Map<string, Cached>): Promise<boolean> => {
    const { file, real, stat } = listed
    const before = cache.get(file)
    if (before && !before.young && sameStat(before.stat, stat)) {
      next.set(file, before)
      return false
    }
    // One byte over the limit is enough to see that it is over.
    const bytes = await fs.read(real, FILE_LIMIT_BYTES + 1)
    const young = isYoung(stat)
    const unchanged = before !== undefined && Buffer.compare(before.bytes, bytes) === 0
    next.set(file, { stat, bytes, young, place: unchanged ? before.place : parseFile(file, bytes) })
    return !unchanged
  }

  const snapshotOfFolder = (listing: Listing): SourceSnapshot => {
    const whole = snapshotOf(listing.files.map(({ file }) => [file, cache.get(file)!.place] as const))
    const odd = listing.odd.map((file) => problemOf('NotAFile', {}, { file, severity: 'warning' }))
    return { ...whole, problems: [...whole.problems, ...odd] }
  }

  const readOnce = async (root: RootIdentity): Promise<ReadOutcome> => {
    const lock = await gitLock(fs, root.real)
    if (lock) return { type: 'unsettled', why: `git is at work (${lock})`, root }
    const before = await listFolder(fs, root.real)
    if (before.empty && (await hasGit(root.real)))
      return { type: 'unreadable', why: 'there is a .git in it, but nothing checked out yet', root }
    const known = last && last.root.identity === root.identity && sameListing(last.listing, before) ? last : undefined
    if (known && ![...cache.values()].some(({ young }) => young))
      return { type: 'same', snapshot: known.snapshot, root }

    const next = new Map<string, Cached>()
    let parsed = 0
    for (const listed of before.files) if (await load(listed, next)) parsed++
    const after = await listFolder(fs, root.real)
    const rootAfter = await resolveRoot()
    if (!sameListing(before, after) || rootAfter.identity !== root.identity)
      return { type: 'unsettled', why: 'it changed while it was read', root }
    const lockAfter = await gitLock(fs, root.real)
    if (lockAfter) return { type: 'unsettled', why: `git is at work (${lockAfter})`, root }
    cache = next
    if (known && parsed === 0) return { type: 'same', snapshot: known.snapshot, root }
    last = { listing: before, root, snapshot: snapshotOfFolder(before) }
    return { type: 'complete', snapshot: last.snapshot, root, parsed }
  }
  const hasGit = async (real: string) => {
    try {
      await fs.stat(path.join(real, '.git'))
      return true
    } catch (error) {
      if (code(error) === 'ENOENT') return false
      throw error
    }
  }

  return {
    async read() {
      let root: RootIdentity | undefined
      try {
        root = await resolveRoot()
        return await readOnce(root)
      } catch (error) {
        // Below a root that is there, what vanishes under our eyes is being changed, or is a link to nowhere.
        if (root && VANISHED.includes(code(error) ?? '')) return { type: 'unsettled', why: why(error), root }
        return { type: 'unreadable', why: why(error), ...(root ? { root } : {}) }
      }
    },
  }
}
