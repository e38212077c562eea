// One complete reading of a folder, or the reason why there is none. Nothing is ever read by halves (law 3).
import path from 'node:path'
import { isDeepStrictEqual } from 'node:util'
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
  /**
   * Reads what changed ahead of `read`, while the debounce lasts: its listing then stands for the one before the
   * reading, and `read` has only to see that nothing moved since.
   */
  prepare(): Promise<void>
}

interface Cached {
  stat: FileStat
  bytes: Uint8Array
  place: ReadPlace
  /** So young when it was read that a change in the same tick of the file system's clock would not show. */
  young: boolean
}

interface Complete {
  listing: Listing
  root: RootIdentity
  places: readonly (readonly [file: string, place: ReadPlace])[]
  snapshot: SourceSnapshot
}

/** Above the granularity of time stamps: 4-10 ms on ext4 and tmpfs. */
const YOUNG_MS = 20

const VANISHED = ['ENOENT', 'ENOTDIR', 'ESTALE']

const why = (error: unknown) => (error instanceof Error ? error.message : String(error))
const code = (error: unknown) => (error as NodeJS.ErrnoException).code

function sameReading(last: Complete, listing: Listing, root: RootIdentity, places: Complete['places']): boolean {
  return (
    last.root.identity === root.identity &&
    isDeepStrictEqual(last.listing.odd, listing.odd) &&
    last.places.length === places.length &&
    last.places.every(([file, place], i) => file === places[i]![0] && place === places[i]![1])
  )
}

export function folderReader(given: string, fs: FolderFs, clock: Clock): FolderReader {
  let cache = new Map<string, Cached>()
  /** Files parsed since the last complete reading. */
  let parsed = 0
  let ahead: { listing: Listing; identity: string } | undefined
  let last: Complete | undefined

  const resolveRoot = async (): Promise<RootIdentity> => {
    const real = await fs.realPath(given)
    const stat = await fs.stat(real)
    if (stat.type !== 'folder') throw new Error(`${given} is not a folder`)
    return { real, identity: `${real}:${stat.dev}:${stat.ino}` }
  }
  const isYoung = ({ ctimeNs }: FileStat) => Math.abs(Number(ctimeNs / 1_000_000n) - clock.now()) < YOUNG_MS

  const readFile = async ({ file, real, stat }: ListedFile): Promise<Cached> => {
    const before = cache.get(file)
    if (before && !before.young && sameStat(before.stat, stat)) return before
    // One byte over the limit is enough to see that it is over.
    const bytes = await fs.read(real, FILE_LIMIT_BYTES + 1)
    const young = isYoung(stat)
    if (before && Buffer.compare(before.bytes, bytes) === 0) return { ...before, stat, young }
    parsed++
    return { stat, bytes, young, place: parseFile(file, bytes) }
  }
  /** Brings the cache up to a listing. Good for later ones too, as what it holds is bound to time stamps. */
  const load = async ({ files }: Listing): Promise<void> => {
    const next = new Map<string, Cached>()
    for (const listed of files) next.set(listed.file, await readFile(listed))
    cache = next
  }
  const complete = (listing: Listing, root: RootIdentity): ReadOutcome => {
    const places = listing.files.map(({ file }) => [file, cache.get(file)!.place] as const)
    if (last && sameReading(last, listing, root, places)) {
      last = { ...last, listing }
      return { type: 'same', snapshot: last.snapshot, root }
    }
    const odd = listing.odd.map((file) => problemOf('NotAFile', {}, { file, severity: 'warning' }))
    const whole = snapshotOf(places)
    last = { listing, root, places, snapshot: { ...whole, problems: [...whole.problems, ...odd] } }
    const outcome: ReadOutcome = { type: 'complete', snapshot: last.snapshot, root, parsed }
    parsed = 0
    return outcome
  }
  const unsettled = (why: string, root: RootIdentity): ReadOutcome => ({ type: 'unsettled', why, root })

  const readOnce = async (root: RootIdentity): Promise<ReadOutcome> => {
    const lock = await gitLock(fs, root.real)
    if (lock) return unsettled(`git is at work (${lock})`, root)
    const early = ahead?.identity === root.identity ? ahead.listing : undefined
    ahead = undefined
    const listing = await listFolder(fs, root.real)
    if (listing.empty && (await hasGit(root.real)))
      return { type: 'unreadable', why: 'there is a .git in it, but nothing checked out yet', root }
    const quiet = last?.root.identity === root.identity && sameListing(last.listing, listing)
    if (quiet && last && ![...cache.values()].some(({ young }) => young))
      return { type: 'same', snapshot: last.snapshot, root }
    if (!early || !sameListing(early, listing)) {
      await load(listing)
      if (!sameListing(listing, await listFolder(fs, root.real))) return unsettled('it changed while it was read', root)
    }
    if ((await resolveRoot()).identity !== root.identity) return unsettled('it was switched while it was read', root)
    const lockAfter = await gitLock(fs, root.real)
    if (lockAfter) return unsettled(`git is at work (${lockAfter})`, root)
    return complete(listing, root)
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
    async prepare() {
      ahead = undefined
      try {
        const root = await resolveRoot()
        if (await gitLock(fs, root.real)) return
        const listing = await listFolder(fs, root.real)
        await load(listing)
        ahead = { listing, identity: root.identity }
      } catch {
        // `read` meets the same failure, or does not; it is the one that tells.
      }
    },
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
