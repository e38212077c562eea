// Durable facts as objects of internal.ppn.dev, one a key. The server's resource version is the version of a record:
// it rises with every write and is never used twice. Test-and-set is a PUT with that version in it.
import { createHash } from 'node:crypto'
import { PpnError } from '../../base/errors.ts'
import type { RecordStore, StoredRecord } from '../../controllers/ports/store.ts'
import { indexIn } from '../common/sorted.ts'
import { type KubeAnswer, type KubeApi, statusText } from './api.ts'
import { revisionOf } from './raw.ts'
import { type RawRecord, rawRecord } from './raw-record.ts'
import { RECORD_API_VERSION, recordsPath } from './resources.ts'

export interface KubeRecords extends RecordStore {
  /** As the server has them now, all of them. Before the first `replace` there are none. */
  replace(items: readonly RawRecord[], resourceVersion: string): void
  /** Another writer's. */
  observe(record: RawRecord): void
  observeGone(record: RawRecord): void
}

/** A key is any path; a name is a DNS subdomain of at most 253. The key itself stands in the object. */
export const recordName = (key: string): string => `r-${createHash('sha256').update(key).digest('hex').slice(0, 40)}`

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null)
    for (const inner of Object.values(Object.freeze(value))) freeze(inner)
  return value
}

const storedOf = ({ key, value, resourceVersion }: RawRecord): StoredRecord =>
  Object.freeze({ key, value: freeze(JSON.parse(value)), version: revisionOf(resourceVersion) })

/** The object that is written. `version` 0: a new one. */
function written(key: string, value: unknown, namespace: string, version: number) {
  const name = recordName(key)
  const metadata = version === 0 ? { name, namespace } : { name, namespace, resourceVersion: String(version) }
  // JSON in a string: byte for byte what was given, null and large numbers included.
  return { apiVersion: RECORD_API_VERSION, kind: 'Record', metadata, key, value: JSON.stringify(value) }
}

export function kubeRecords(api: KubeApi, namespace: string): KubeRecords {
  const records = new Map<string, StoredRecord>()
  /** Keys in order, for `list`. */
  const keys: string[] = []
  /** Versions up to which a key is known to be gone: what a watch tells late does not bring it back. */
  const gone = new Map<string, number>()
  const inFlight = new Map<string, Promise<unknown>>()
  const collection = recordsPath(namespace)
  const path = (key: string) => `${collection}/${recordName(key)}`

  const set = (record: StoredRecord) => {
    if (record.version <= Math.max(records.get(record.key)?.version ?? 0, gone.get(record.key) ?? 0)) return
    const { index, found } = indexIn(keys, record.key)
    if (!found) keys.splice(index, 0, record.key)
    records.set(record.key, record)
    gone.delete(record.key)
  }
  const unset = (key: string, version: number) => {
    if ((records.get(key)?.version ?? 0) > version) return
    records.delete(key)
    const { index, found } = indexIn(keys, key)
    if (found) keys.splice(index, 1)
    gone.set(key, version)
  }
  /** After a lost race: a retry shall see what it lost to. */
  const refresh = async (key: string) => {
    const answer = await api.request({ method: 'GET', path: path(key) })
    if (answer.status === 200) set(storedOf(rawRecord(answer.body)))
    else if (answer.status === 404) unset(key, records.get(key)?.version ?? 0)
  }
  const conflict = async (key: string): Promise<never> => {
    await refresh(key).catch(() => {})
    throw new PpnError('Conflict', { key })
  }
  const failed = (key: string, answer: KubeAnswer) =>
    new PpnError('KubeRefused', { what: `record ${key}`, why: statusText(answer) })

  /** One write of a key at a time; whoever comes meanwhile has lost, and is told when the first one is in. */
  const alone = async <T>(key: string, expected: number, write: () => Promise<T>): Promise<T> => {
    const before = inFlight.get(key)
    if (before) {
      await before.catch(() => {})
      throw new PpnError('Conflict', { key })
    }
    if ((records.get(key)?.version ?? 0) !== expected) throw new PpnError('Conflict', { key })
    const work = write()
    inFlight.set(key, work)
    try {
      return await work
    } finally {
      inFlight.delete(key)
    }
  }

  return {
    get: (key) => records.get(key),
    list(prefix) {
      const found: StoredRecord[] = []
      for (let i = indexIn(keys, prefix).index; i < keys.length && keys[i]!.startsWith(prefix); i++)
        found.push(records.get(keys[i]!)!)
      return found
    },
    put: (key, value, expected) =>
      alone(key, expected, async () => {
        const body = written(key, value, namespace, expected)
        const fresh = expected === 0
        const answer = await api.request(
          fresh ? { method: 'POST', path: collection, body } : { method: 'PUT', path: path(key), body },
        )
        if (answer.status === 409 || (!fresh && answer.status === 404)) return conflict(key)
        if (answer.status !== 200 && answer.status !== 201) throw failed(key, answer)
        const record = storedOf(rawRecord(answer.body))
        set(record)
        return record
      }),
    async delete(key, expected) {
      if (expected === 0 && !records.has(key) && !inFlight.has(key)) return
      await alone(key, expected, async () => {
        const body = { preconditions: { resourceVersion: String(expected) } }
        const answer = await api.request({ method: 'DELETE', path: path(key), body })
        if (answer.status === 409 || answer.status === 404) return conflict(key)
        if (answer.status !== 200) throw failed(key, answer)
        unset(key, expected)
      })
    },
    replace(items, resourceVersion) {
      const there = new Set(items.map(({ key }) => key))
      const revision = revisionOf(resourceVersion)
      for (const key of keys.filter((key) => !there.has(key)))
        if (records.get(key)!.version <= revision) unset(key, records.get(key)!.version)
      for (const item of items) set(storedOf(item))
      gone.clear()
    },
    observe: (record) => set(storedOf(record)),
    observeGone({ key, resourceVersion }) {
      unset(key, revisionOf(resourceVersion))
      // The watch tells in order: nothing older comes after this.
      gone.delete(key)
    },
  }
}
