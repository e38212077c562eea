// When the folder is read: soon after a hint, again after a while in any case, sooner while it is not at rest.
import type { Clock, Timer } from '../../base/clock.ts'
import { PpnError } from '../../base/errors.ts'
import type { Logger } from '../../base/log.ts'
import { networkFileSystem } from '../common/network-fs.ts'
import type { ObjectStore } from '../common/object-store.ts'
import { problemOf } from '../common/problem.ts'
import type { FolderFs } from './fs.ts'
import type { FolderReader, ReadOutcome, RootIdentity } from './reader.ts'
import type { FolderWatch, WatchFolder } from './watch.ts'

/** From the first hint to the reading: an editor's write and rename, a script's few files come as one. */
const DEBOUNCE_MS = 50
/** Into the debounce: what changed is read and parsed now, so that at its end only a second listing is left. */
const PREPARE_MS = 25
/** However quiet the watcher: inotify loses events, and knows nothing of a switched symlink above the root. */
export const RESCAN_MS = 10_000
/** Between readings where nothing tells of changes, and while the folder cannot be read. */
export const POLL_MS = 2_000
/** While git or an editor is at work. */
export const RETRY_MS = 250
/** How long work in progress goes unmentioned: longer than a checkout of a fleet, shorter than a person waits. */
const UNSETTLED_GRACE_MS = 2_000

/** A watcher's failures after which watching is given up for polling. */
const EXHAUSTED = ['ENOSPC', 'EMFILE', 'ENFILE']

export interface FolderSourceOptions {
  root: string
  reader: FolderReader
  fs: FolderFs
  watch: WatchFolder
  store: ObjectStore
  clock: Clock
  log: Logger
}

/** Reads into `store` until `signal` aborts. `first` resolves after the first attempt. */
export function runFolderSource(options: FolderSourceOptions, signal: AbortSignal): { first: Promise<void> } {
  const { reader, store, clock, log } = options
  const watching = folderWatching(options, signal, () => request(DEBOUNCE_MS))
  let timer: Timer | undefined
  let dueMs = Number.POSITIVE_INFINITY
  let early: Timer | undefined
  let reading = false
  let preparing: Promise<void> | undefined
  let hinted = false
  let unsettledSinceMs: number | undefined

  const request = (ms: number) => {
    if (signal.aborted) return
    if (reading) {
      hinted = true
      return
    }
    const at = clock.monotonic() + ms
    if (at >= dueMs) return
    timer?.cancel()
    dueMs = at
    timer = clock.after(ms, () => void attempt())
    early?.cancel()
    early = ms === DEBOUNCE_MS ? clock.after(PREPARE_MS, () => void prepare()) : undefined
  }
  const holdBecause = (code: 'FolderUnreadable' | 'FolderUnsettled', why: string) => {
    const details = { path: options.root, why }
    store.hold(new PpnError(code, details).message, [problemOf(code, details)])
  }
  /** Takes the outcome in and says when to look again. */
  const take = (outcome: ReadOutcome): number => {
    if (outcome.type !== 'unsettled') unsettledSinceMs = undefined
    switch (outcome.type) {
      case 'complete':
        store.accept(outcome.snapshot)
        return watching.intervalMs()
      case 'same':
        if (store.health().unreadable === undefined) store.touch()
        else store.accept(outcome.snapshot)
        return watching.intervalMs()
      case 'unsettled':
        unsettledSinceMs ??= clock.monotonic()
        if (store.health().synced && clock.monotonic() - unsettledSinceMs < UNSETTLED_GRACE_MS) return RETRY_MS
        holdBecause('FolderUnsettled', outcome.why)
        return store.health().synced ? POLL_MS : RETRY_MS
      case 'unreadable':
        holdBecause('FolderUnreadable', outcome.why)
        return POLL_MS
    }
  }
  const prepare = async () => {
    preparing = reader.prepare()
    await preparing
    preparing = undefined
  }
  const attempt = async () => {
    timer = undefined
    dueMs = Number.POSITIVE_INFINITY
    reading = true
    hinted = false
    let nextMs = RETRY_MS
    try {
      await preparing
      const outcome = await reader.read()
      if (signal.aborted) return
      await watching.follow(outcome.root)
      nextMs = take(outcome)
    } catch (error) {
      // Nothing was taken in: the state could not be written, most likely. Objects stay as readers saw them last.
      log.error({ err: error }, 'the folder was read, but could not be taken in')
      store.hold(error instanceof Error ? error.message : String(error))
    } finally {
      reading = false
      request(hinted ? Math.min(DEBOUNCE_MS, nextMs) : nextMs)
    }
  }
  signal.addEventListener(
    'abort',
    () => {
      timer?.cancel()
      early?.cancel()
      void watching.stop()
    },
    { once: true },
  )
  return { first: attempt() }
}

/** Keeps a watcher on the folder that the root's name means now, or says why there is none. */
function folderWatching(options: FolderSourceOptions, signal: AbortSignal, onHint: () => void) {
  const { fs, watch, store, log } = options
  let current: FolderWatch | undefined
  let followed: string | undefined
  let polling = false

  const stop = async () => {
    const old = current
    current = undefined
    await old?.close()
  }
  const poll = (reason: string) => {
    polling = true
    store.setWatching('polling', reason)
    void stop()
  }
  const onError = (error: Error) => {
    const { code } = error as NodeJS.ErrnoException
    if (code !== undefined && EXHAUSTED.includes(code)) poll(`${code}: no more watches can be had`)
    else log.debug({ err: error }, 'the watcher complained')
  }
  return {
    stop,
    intervalMs: () => (polling ? POLL_MS : RESCAN_MS),
    /** A new watcher whenever the root is another folder than before: the old one looks at what is gone. */
    async follow(root: RootIdentity | undefined) {
      if (root === undefined || root.identity === followed) return
      followed = root.identity
      await stop()
      const network = networkFileSystem(await fs.fileSystemType(root.real))
      if (network !== undefined) return poll(`${network}: a network file system tells of no changes`)
      if (signal.aborted) return
      polling = false
      store.setWatching('events')
      try {
        current = watch(root.real, onHint, onError)
      } catch (error) {
        poll(error instanceof Error ? error.message : String(error))
      }
    },
  }
}
