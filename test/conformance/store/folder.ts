// A real folder, a state folder, and a store over both whose watcher is played by the test.
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { stringify } from 'yaml'
import type { FolderFs } from '../../../stores/files/fs.ts'
import { type FilesStore, openFilesStore } from '../../../stores/files/store.ts'
import type { WatchFolder } from '../../../stores/files/watch.ts'
import { type VirtualClock, virtualClock } from '../../../testing/virtual-clock.ts'
import { seededRandom } from './random.ts'

/** Long enough for a debounce, a retry and a poll; shorter than the rescan. */
export const SOON_MS = 2_500

export interface PlayedWatch {
  watch: WatchFolder
  /** Roots watched just now. */
  watched: string[]
  hint(): void
  fail(error: Error): void
}

export function playedWatch(): PlayedWatch {
  let onHint: (() => void) | undefined
  let onError: ((error: Error) => void) | undefined
  const watched: string[] = []
  return {
    watched,
    watch(root, hinted, failed) {
      watched.push(root)
      onHint = hinted
      onError = failed
      return {
        async close() {
          watched.splice(watched.indexOf(root), 1)
        },
      }
    },
    hint: () => onHint?.(),
    fail: (error) => onError?.(error),
  }
}

export interface FolderFixture {
  dir: string
  root: string
  state: string
  clock: VirtualClock
  watch: PlayedWatch
  /** Writes a file below the root (or an absolute path), folders included, with a time stamp of its own. */
  write(file: string, content: string | Uint8Array | readonly unknown[]): void
  open(options?: { fs?: FolderFs; root?: string }): Promise<FilesStore>
  /** Starts and lets time pass; whether it is done. */
  start(store: FilesStore): Promise<boolean>
  /** The watcher says something moved, and time passes. */
  seen(): Promise<void>
  /** As a process ends. */
  stop(store: FilesStore): Promise<void>
  end(): Promise<void>
}

export function folderFixture(): FolderFixture {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'ppn-store-'))
  const root = path.join(dir, 'fleet')
  const state = path.join(dir, 'state')
  fs.mkdirSync(root)
  const clock = virtualClock()
  const watch = playedWatch()
  const random = seededRandom()
  const lives = new Map<FilesStore, AbortController>()
  let stamp = 1_700_000_000

  const stop = async (store: FilesStore) => {
    lives.get(store)?.abort()
    lives.delete(store)
    await store.close()
  }
  return {
    dir,
    root,
    state,
    clock,
    watch,
    write(file, content) {
      const at = path.resolve(root, file)
      const documents = () => (content as unknown[]).map((one) => stringify(one)).join('---\n')
      fs.mkdirSync(path.dirname(at), { recursive: true })
      fs.writeFileSync(at, typeof content === 'string' || content instanceof Uint8Array ? content : documents())
      // Tests write faster than a file system's clock ticks.
      fs.utimesSync(at, ++stamp, stamp)
    },
    async open(options = {}) {
      const store = await openFilesStore({ root, state, clock, random, watch: watch.watch, ...options })
      lives.set(store, new AbortController())
      return store
    },
    async start(store) {
      let done = false
      void store.start(lives.get(store)!.signal).then(
        () => {
          done = true
        },
        () => {},
      )
      await clock.advance(SOON_MS)
      return done
    },
    async seen() {
      watch.hint()
      await clock.advance(SOON_MS)
    },
    stop,
    async end() {
      for (const store of [...lives.keys()]) await stop(store)
      fs.rmSync(dir, { recursive: true, force: true })
    },
  }
}
