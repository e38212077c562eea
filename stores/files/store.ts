// A folder of YAML as a store. The folder belongs to the person and is only read; what must outlive the process is in
// `ppn.db` in the state folder.

import { realpathSync } from 'node:fs'
import path from 'node:path'
import type { Clock } from '../../base/clock.ts'
import { PpnError } from '../../base/errors.ts'
import { type Logger, silentLogger } from '../../base/log.ts'
import { type RandomBytes, systemRandom } from '../../base/random.ts'
import type { Store } from '../../controllers/ports/store.ts'
import { networkFileSystem } from '../common/network-fs.ts'
import { objectStore } from '../common/object-store.ts'
import { type EventLog, eventLog } from '../sqlite/event-log.ts'
import { type History, reconcileHistory } from '../sqlite/history.ts'
import { type Database, openDatabase } from '../sqlite/open.ts'
import { sqlitePersistence } from '../sqlite/persistence.ts'
import { makeStateFolder, type StateFolderProbe } from '../sqlite/state-folder.ts'
import { type FolderFs, localFs, remoteFs } from './fs.ts'
import { folderReader } from './reader.ts'
import { runFolderSource } from './source.ts'
import { chokidarWatch, type WatchFolder } from './watch.ts'

/** Holds a name on this machine for as long as the process lives; throws PpnError `FileLocked`. */
type HoldLock = (name: string) => Promise<{ release(): Promise<void> }>

export interface FilesStoreOptions {
  /** The folder of YAML; may be a link, may be missing. */
  root: string
  /** The state folder; made when missing. */
  state: string
  clock: Clock
  random?: RandomBytes
  log?: Logger
  /** One authority holds the fleet folder and one the state folder; default: not locked. */
  lock?: HoldLock
  /** Part of the folder's lock name: two meshes may be declared in one folder by two authorities. */
  mesh?: string
  fs?: FolderFs
  watch?: WatchFolder
  stateProbe?: StateFolderProbe
}

export interface FilesStore extends Store {
  readonly events: EventLog
  readonly history: History
  /** After `start`'s signal aborted: writes what waits, closes the database, lets go of the locks. */
  close(): Promise<void>
}

function resolved(folder: string): string {
  try {
    return realpathSync(folder)
  } catch {
    return path.resolve(folder)
  }
}

/** A hanging network file system must not hang the control plane. */
function fsFor(root: string): FolderFs {
  const local = localFs()
  try {
    return networkFileSystem(local.fileSystemType(root) as number) === undefined ? local : remoteFs()
  } catch {
    return local
  }
}

/** A person knows the folder, not the name of the lock. */
async function held<T>(lock: Promise<T>, folder: string): Promise<T> {
  try {
    return await lock
  } catch (error) {
    if (!(error instanceof PpnError) || error.code !== 'FileLocked') throw error
    throw new PpnError('FileLocked', { path: folder }, { cause: error })
  }
}

/** Holds both folders as a store over them does; resolves with what lets them go. Throws FileLocked. */
export async function holdFleet(
  { lock, root, mesh = 'default' }: Pick<FilesStoreOptions, 'lock' | 'root' | 'mesh'>,
  state: string,
): Promise<() => Promise<void>> {
  if (!lock) return async () => {}
  const stateLock = await held(lock(`ppn/state/${state}`), state)
  try {
    const folderLock = await held(lock(`ppn/folder/${mesh}/${resolved(root)}`), resolved(root))
    return async () => {
      await folderLock.release()
      await stateLock.release()
    }
  } catch (error) {
    await stateLock.release()
    throw error
  }
}

/**
 * Opens the state (PpnError `StateInGit`, `StateOnNetwork`, `StateTooNew`, `FileLocked`); the folder is read from
 * `start` on. Objects accepted in an earlier life are there at once.
 *
 * `start` resolves after the first complete reading, or, if the folder cannot be read but objects are known from
 * before, after the first attempt: the fleet is then held as it was last accepted, `synced` with `unreadable` saying
 * why. With neither it waits.
 */
export async function openFilesStore(options: FilesStoreOptions): Promise<FilesStore> {
  const { clock, random = systemRandom, log = silentLogger(), watch = chokidarWatch } = options
  const state = makeStateFolder(options.state, options.stateProbe)
  const unlock = await holdFleet(options, state)
  let database: Database
  try {
    database = openDatabase(state)
  } catch (error) {
    await unlock()
    throw error
  }
  const fs = options.fs ?? fsFor(options.root)
  const { accept, hold, touch, setWatching, close, ...objects } = objectStore({
    persistence: sqlitePersistence(database),
    clock,
    random,
    log,
  })
  const store = { accept, hold, touch, setWatching, close, ...objects }
  const events = eventLog(database, clock, log)
  const history = reconcileHistory(database, clock, log)
  const reader = folderReader(options.root, fs, clock)

  return {
    ...objects,
    events,
    history,
    async start(signal) {
      signal.throwIfAborted()
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      const off = objects.subscribe((event) => {
        if (event.type === 'synced') resolve()
      })
      runFolderSource({ root: options.root, reader, fs, watch, store, clock, log }, signal)
      try {
        await promise
      } finally {
        off()
      }
    },
    async close() {
      events.flush()
      history.flush()
      close()
      await unlock()
    },
  }
}
