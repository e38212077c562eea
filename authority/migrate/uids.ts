// An object gets another uid where it arrives, and facts are kept under uids and name them. Every uid is 128 random bits, so
// wherever one of the old ones stands in a key or a value, that object is meant: no list of record kinds has to be
// kept up to date here.
import { keyOf } from '../../api/meta.ts'
import type { AnyObject } from '../../api/v1alpha1/index.ts'
import { PpnError } from '../../base/errors.ts'

/** Old uid to new one. */
export type UidMap = ReadonlyMap<string, string>

export interface Fact {
  key: string
  value: unknown
}

/** Ours (32 hex digits) or the API server's (RFC 9562). */
const UID = /[0-9a-f]{8}(?:[0-9a-f]{24}|(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/g
const isUid = (text: string): boolean => text.match(UID)?.[0] === text

type Named = Pick<AnyObject, 'kind' | 'metadata'>
const nameOf = ({ kind, metadata }: Named) => keyOf(kind, metadata.name, metadata.namespace)

/** Throws MigrateRefused when an object is not there any more, or its uid has a form that could not be found again. */
export function uidsOnArrival(from: readonly Named[], to: readonly Named[]): UidMap {
  const arrived = new Map(to.map((object) => [nameOf(object), object.metadata.uid]))
  return new Map(
    from.map((object) => {
      const { uid } = object.metadata
      const next = arrived.get(nameOf(object))
      if (next === undefined) throw new PpnError('MigrateRefused', { what: `${nameOf(object)} did not arrive` })
      if (!isUid(uid)) throw new PpnError('MigrateRefused', { what: `${nameOf(object)} has the uid "${uid}"` })
      return [uid, next]
    }),
  )
}

/** The same fact of the same object under its new uid; other uids (of objects long gone) stay as they are. */
export function withUids({ key, value }: Fact, uids: UidMap): Fact {
  const renamed = (text: string) => text.replace(UID, (uid) => uids.get(uid) ?? uid)
  return { key: renamed(key), value: JSON.parse(renamed(JSON.stringify(value))) as unknown }
}
