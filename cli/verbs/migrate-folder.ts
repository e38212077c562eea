// A state folder and its fleet folder as a place of an authority (authority/migrate/place.ts).
import { isDeepStrictEqual } from 'node:util'
import { ANNOTATION, API_VERSION, keyOf, type ObjectKey, parseKey } from '../../api/meta.ts'
import type { AnyObject } from '../../api/v1alpha1/index.ts'
import { AUDIT_FILE } from '../../authority/audit.ts'
import { restoredMark } from '../../authority/backup/snapshot.ts'
import { BRAKE_FILE } from '../../authority/brake.ts'
import { OPERATOR_FILE, readKeys } from '../../authority/keys/keys.ts'
import { CARD_FILE } from '../../authority/keys/replace.ts'
import { factsOnArrival } from '../../authority/migrate/arrival.ts'
import { markFolder, markInFolder } from '../../authority/migrate/mark.ts'
import type { AuthorityState, MovedObject, Place } from '../../authority/migrate/place.ts'
import { openRegistry, REGISTRY_FILE } from '../../authority/registry/registry.ts'
import type { Clock } from '../../base/clock.ts'
import { diskFiles } from '../../base/disk-files.ts'
import { PpnError } from '../../base/errors.ts'
import { holdAbstractLock } from '../../base/lock.ts'
import { systemRandom } from '../../base/random.ts'
import { openSegmentedLog } from '../../base/segmented-log.ts'
import type { StoredObject } from '../../stores/common/stored.ts'
import { holdFleet, openFilesStore } from '../../stores/files/store.ts'
import { validateFolder } from '../../stores/files/validate.ts'
import { openDatabase } from '../../stores/sqlite/open.ts'
import { sqlitePersistence } from '../../stores/sqlite/persistence.ts'
import { readState } from '../../stores/sqlite/read-state.ts'
import { makeStateFolder } from '../../stores/sqlite/state-folder.ts'
import { writeObject } from '../folder/edit.ts'

/** A folder that somebody is at work in settles within this. */
const READ_WITHIN_MS = 30_000

export interface FolderPlace extends Place {
  close(): Promise<void>
}

const refuse = (what: string): never => {
  throw new PpnError('MigrateRefused', { what })
}
const keyFor = ({ kind, metadata }: AnyObject): ObjectKey => keyOf(kind, metadata.name, metadata.namespace)

/** What of an object its author said, as far as it must not differ after a move. */
export function saidOf({ spec, metadata }: AnyObject): unknown {
  const { [ANNOTATION.paused]: paused, [ANNOTATION.deletion]: deletion } = metadata.annotations
  return { spec, paused, deletion }
}

/** Throws FileLocked while an authority runs on either folder. */
export async function folderPlace(options: { fleet: string; state: string; clock: Clock }): Promise<FolderPlace> {
  const { fleet, clock } = options
  const state = makeStateFolder(options.state)
  const letGo = await holdFleet({ root: fleet, lock: holdAbstractLock }, state)
  const files = diskFiles(state)

  const rows = async (): Promise<StoredObject[]> => {
    const reading = new AbortController()
    const late = clock.after(READ_WITHIN_MS, () => reading.abort(new Error(`${fleet} cannot be read just now`)))
    // What the folder says now is taken in as an authority would take it in; nothing reconciles.
    const store = await openFilesStore({ root: fleet, state, clock })
    try {
      await store.start(reading.signal)
      const { unreadable, problems } = store.health()
      const [fault] = problems.filter(({ severity }) => severity === 'error')
      if (unreadable !== undefined) refuse(`${fleet} cannot be read: ${unreadable}`)
      if (fault) refuse(`${fault.file ?? fleet}: ${fault.message}; see ppn validate ${fleet}`)
    } finally {
      late.cancel()
      reading.abort(new Error('it has been read'))
      await store.close()
    }
    return readState(state)?.rows ?? []
  }
  const declared = async () => {
    const { objects, problems } = await validateFolder(fleet, clock)
    return { objects, faults: problems.filter(({ severity }) => severity === 'error') }
  }
  /** What is declared must be what arrives. A folder that declares nothing is written, and one half written goes on. */
  const compare = async (arriving: readonly MovedObject[]): Promise<{ write: AnyObject[]; kept: ObjectKey[] }> => {
    const wanted = arriving.filter(({ act, object }) => !act && object.metadata.deletionTimestamp === undefined)
    const { objects, faults } = await declared()
    const mayWrite = objects.length === 0 || (await markInFolder(files))?.phase === 'arriving'
    if (faults[0]) refuse(`${faults[0].file ?? fleet}: ${faults[0].message}`)
    const there = new Map(objects.map((object) => [keyFor(object), object]))
    const missing = wanted.filter(({ object }) => !there.has(keyFor(object))).map(({ object }) => object)
    const differing = wanted.filter(({ object }) => {
      const found = there.get(keyFor(object))
      return found ? !isDeepStrictEqual(saidOf(found), saidOf(object)) : !mayWrite
    })
    if (differing.length > 0)
      refuse(`${fleet} and the cluster differ in ${differing.map(({ object }) => keyFor(object)).join(', ')}`)
    const known = new Set(arriving.map(({ object }) => keyFor(object)))
    const more = [...there.keys()].filter((key) => !known.has(key))
    if (more.length > 0) refuse(`${fleet} declares what the cluster does not: ${more.join(', ')}`)
    return { write: missing, kept: wanted.map(({ object }) => keyFor(object)).filter((key) => there.has(key)) }
  }

  return {
    name: state,
    mark: () => markInFolder(files),
    setMark: (mark) => markFolder(files, mark),
    async occupied() {
      const found = (await files.list()).find((name) => name === REGISTRY_FILE || name === BRAKE_FILE)
      if (found) return found
      if ((readState(state)?.records.length ?? 0) > 0) return 'ppn.db'
      return (await files.sub('keys').read('authority')) ? 'keys/authority' : undefined
    },
    async read() {
      if (await restoredMark(files)) refuse('it was restored and has not run since: start it once')
      if (await files.read(CARD_FILE)) refuse('it was replaced and has not run since: start it once')
      const folder = files.sub('keys')
      const keys = await readKeys(folder)
      // Opened once as an authority opens it: a line that a crash cut short is sealed.
      await openRegistry({ ...keys, files, clock, random: systemRandom, signing: keys.signing })
      const names = (await folder.list()).filter((name) => name !== OPERATOR_FILE)
      const contents = await Promise.all(names.map(async (name) => [name, await folder.read(name)] as const))
      const brake = await files.read(BRAKE_FILE)
      const objects = (await rows()).map(({ object, raw, origin }) => ({ object, raw, act: origin === 'act' }))
      return {
        objects,
        facts: readState(state)?.records ?? [],
        registry: (await files.read(REGISTRY_FILE)) ?? new Uint8Array(),
        auditHead: (await openSegmentedLog(files, AUDIT_FILE)).head(),
        keys: new Map(contents.flatMap(([name, bytes]) => (bytes ? [[name, bytes]] : []))),
        ...(brake && { brake: new TextDecoder().decode(brake).trim() }),
      }
    },
    async plan({ objects }) {
      const { write, kept } = await compare(objects)
      return { declare: write.map(keyFor), kept }
    },
    async fill(arriving) {
      const { write } = await compare(arriving.objects)
      for (const [name, bytes] of arriving.keys) await files.sub('keys').write(name, bytes)
      await files.write(REGISTRY_FILE, arriving.registry)
      const audit = await openSegmentedLog(files, AUDIT_FILE)
      const { count, hash } = arriving.auditHead
      const at = new Date(clock.now()).toISOString()
      await audit.appendAll([{ kind: 'confirmation', what: 'MovedHere', after: { count, hash }, at }])
      // One that somebody set here stays set, whatever arrives.
      if (arriving.brake !== undefined) await files.write(BRAKE_FILE, Buffer.from(`${arriving.brake}\n`))
      replaceDatabase(state, arriving)
      for (const object of write) await writeObject(fleet, parseKey(keyFor(object)), declarationOf(object))
    },
    letGo: () => files.remove(BRAKE_FILE),
    close: letGo,
  }
}

/** Objects keep the uids that they had on the cluster, so facts need no other keys. */
function replaceDatabase(state: string, { objects, facts }: AuthorityState): void {
  const { objects: table, records, close } = sqlitePersistence(openDatabase(state))
  try {
    const begun = new Set(facts.map(({ key }) => key))
    let version = table.resourceVersion()
    const rows = objects.map(({ object, raw, act }): StoredObject => {
      const metadata = { ...object.metadata, resourceVersion: String(++version) }
      const committed = begun.has(`teardown/${metadata.uid}`)
      return { object: { ...object, metadata } as AnyObject, raw, origin: act ? 'act' : 'source', committed }
    })
    const arriving = new Set(rows.map(({ object }) => keyFor(object)))
    const gone = table.load().flatMap(({ object }) => (arriving.has(keyFor(object)) ? [] : [keyFor(object)]))
    table.write(rows, gone, version, true)

    let edition = records.version()
    const arrived = factsOnArrival(facts, new Map()).map((fact) => ({ ...fact, version: ++edition }))
    const keys = new Set(arrived.map(({ key }) => key))
    const left = records.load().flatMap(({ key }) => (keys.has(key) ? [] : [key]))
    records.write(arrived, left, edition)
  } finally {
    close()
  }
}

/** Labels and annotations of whoever applied an object, and what only a cluster reads. */
const OF_THE_CLUSTER = /\.toolkit\.fluxcd\.io\/|^argocd\.argoproj\.io\/|^ppn\.dev\/(brake|confirm-delete|act)$/

/** As a person would write it. */
function declarationOf({ kind, metadata, spec }: AnyObject) {
  const { name, namespace } = metadata
  const authors = (map: Readonly<Record<string, string>>) => {
    const kept = Object.entries(map).filter(([name]) => !OF_THE_CLUSTER.test(name))
    return kept.length > 0 ? Object.fromEntries(kept) : undefined
  }
  const [labels, annotations] = [authors(metadata.labels), authors(metadata.annotations)]
  const plain = { apiVersion: API_VERSION, kind, metadata: { name, namespace, labels, annotations }, spec }
  return JSON.parse(JSON.stringify(plain)) as Record<string, unknown>
}
