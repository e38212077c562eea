// A store whose source is a program: for tests and for trying things out. The lives of its objects are those of the
// folder, by the same code.
import type { Kind, ObjectKey } from '../../api/meta.ts'
import type { Clock } from '../../base/clock.ts'
import { type Logger, silentLogger } from '../../base/log.ts'
import { type RandomBytes, systemRandom } from '../../base/random.ts'
import type { Store } from '../../controllers/ports/store.ts'
import { draftOrThrow, type ReadPlace, readDocuments, snapshotOf } from '../common/documents.ts'
import { objectStore } from '../common/object-store.ts'
import { problemOf } from '../common/problem.ts'
import { type MemoryState, memoryState } from './state.ts'

export interface MemoryStoreOptions {
  clock: Clock
  random?: RandomBytes
  log?: Logger
  /** What an earlier store left behind; default: nothing. */
  state?: MemoryState
}

export interface MemoryStore extends Store {
  /** Declares objects (plain, as in YAML), each in a place of its own. Throws PpnError `InvalidObject` on a bad one. */
  apply(...objects: unknown[]): void
  /** Takes back what `apply` declared. */
  withdraw(key: ObjectKey): void
  withdraw(kind: Kind, name: string, namespace?: string): void
  /** Replaces all documents of a place, good or bad: what a file is to a folder. */
  declare(place: string, documents: readonly unknown[]): void
  /** The place is still there, but nothing in it can be read. */
  garble(place: string): void
  /** The place is gone. */
  drop(place: string): void
  /** The whole source cannot be read, until called with undefined. */
  setUnreadable(reason: string | undefined): void
  close(): Promise<void>
}

export function memoryStore(options: MemoryStoreOptions): MemoryStore {
  const { clock, random = systemRandom, log = silentLogger(), state = memoryState() } = options
  const {
    accept,
    hold,
    close,
    setWatching: _events,
    ...objects
  } = objectStore({ persistence: state, clock, random, log })
  const places = new Map<string, ReadPlace>()
  let unreadable: string | undefined
  let running: AbortSignal | undefined
  let started: (() => void) | undefined

  const look = () => {
    if (!running || running.aborted) return
    if (unreadable === undefined) accept(snapshotOf([...places].sort(([a], [b]) => (a < b ? -1 : 1))))
    else hold(unreadable)
    if (objects.health().synced) started?.()
  }
  const declare = (place: string, documents: readonly unknown[]) => {
    places.set(place, readDocuments(place, documents))
    look()
  }
  const drop = (place: string) => {
    places.delete(place)
    look()
  }
  return {
    ...objects,
    start(signal) {
      if (signal.aborted) return Promise.reject(signal.reason)
      running = signal
      return new Promise((resolve, reject) => {
        started = resolve
        signal.addEventListener('abort', () => reject(signal.reason), { once: true })
        look()
      })
    },
    apply(...plain) {
      for (const object of plain) {
        const { key } = draftOrThrow(object)
        places.set(key, readDocuments(key, [object]))
      }
      look()
    },
    withdraw: (kindOrKey: string, name?: string, namespace?: string) =>
      drop([kindOrKey, namespace, name].filter((part) => part !== undefined).join('/')),
    declare,
    drop,
    garble(place) {
      places.set(place, {
        definitions: [],
        spoilt: [],
        unread: true,
        problems: [problemOf('YamlSyntax', { what: 'nothing in it can be read' }, { file: place })],
      })
      look()
    },
    setUnreadable(reason) {
      unreadable = reason
      look()
    },
    close: async () => close(),
  }
}
