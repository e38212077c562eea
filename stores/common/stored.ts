// One object as a store keeps it, and the steps of its life. Rows are replaced, never changed in place.
import type { ObjectKey } from '../../api/meta.ts'
import type { ObjectDraft } from '../../api/parse.ts'
import type { AnyObject } from '../../api/v1alpha1/index.ts'

export interface StoredObject {
  /** What readers get; its metadata carries uid, generation, labels. */
  readonly object: AnyObject
  /** The author's spec before defaulting, as last accepted. */
  readonly raw: unknown
  /** source: declared in folder, cluster or test. act: made by `create`. */
  readonly origin: 'source' | 'act'
  /** The place that last defined it, relative to the source's root. */
  readonly file?: string
  /** The deletion has had an irreversible effect. */
  readonly committed: boolean
  /** The very draft last accepted, so that an unchanged one is known by identity. Not kept over a restart. */
  readonly draft?: ObjectDraft
}

/** What a new row takes from outside. */
export interface Stamp {
  nowMs: number
  resourceVersion: number
  newUid: () => string
}

const rfc3339 = (ms: number) => new Date(ms).toISOString()

function withObject(stored: StoredObject, object: AnyObject): StoredObject {
  return { ...stored, object }
}

/** `object` with changed metadata and the next resource version. */
function withMetadata(object: AnyObject, stamp: Stamp, change: Partial<AnyObject['metadata']>): AnyObject {
  const metadata = { ...object.metadata, ...change, resourceVersion: String(stamp.resourceVersion) }
  if (metadata.deletionTimestamp === undefined) delete metadata.deletionTimestamp
  return { ...object, metadata }
}

export function born(
  draft: ObjectDraft,
  origin: 'source' | 'act',
  file: string | undefined,
  stamp: Stamp,
): StoredObject {
  const metadata: AnyObject['metadata'] = {
    name: draft.name,
    ...(draft.namespace === undefined ? {} : { namespace: draft.namespace }),
    uid: stamp.newUid(),
    generation: 1,
    resourceVersion: String(stamp.resourceVersion),
    creationTimestamp: rfc3339(stamp.nowMs),
    finalizers: [],
    labels: draft.labels,
    annotations: draft.annotations,
  }
  const object = { kind: draft.kind, metadata, spec: draft.spec } as AnyObject
  return { object, raw: draft.raw, origin, committed: false, draft, ...(file === undefined ? {} : { file }) }
}

/** Takes over what the author wrote now; a tombstone lives again. Identity, finalizers and status stay. */
export function redeclared(
  stored: StoredObject,
  draft: ObjectDraft,
  file: string | undefined,
  specChanged: boolean,
  stamp: Stamp,
): StoredObject {
  const { generation } = stored.object.metadata
  const object = withMetadata(stored.object, stamp, {
    generation: specChanged ? generation + 1 : generation,
    labels: draft.labels,
    annotations: draft.annotations,
    deletionTimestamp: undefined,
  })
  return { ...stored, object: { ...object, spec: draft.spec } as AnyObject, raw: draft.raw, draft, file }
}

/** Still declared, though not readably: the deletion is off, the last good state stays. */
export function revived(stored: StoredObject, stamp: Stamp): StoredObject {
  return withObject(stored, withMetadata(stored.object, stamp, { deletionTimestamp: undefined }))
}

export function buried(stored: StoredObject, stamp: Stamp): StoredObject {
  return withObject(stored, withMetadata(stored.object, stamp, { deletionTimestamp: rfc3339(stamp.nowMs) }))
}

export function withFinalizers(stored: StoredObject, finalizers: readonly string[], stamp: Stamp): StoredObject {
  return withObject(stored, withMetadata(stored.object, stamp, { finalizers }))
}

export function withStatus(stored: StoredObject, status: AnyObject['status'], stamp: Stamp): StoredObject {
  return withObject(stored, { ...withMetadata(stored.object, stamp, {}), status } as AnyObject)
}

export const isTombstone = (stored: StoredObject): boolean => stored.object.metadata.deletionTimestamp !== undefined

export const keyOfStored = ({ object: { kind, metadata } }: StoredObject): ObjectKey =>
  metadata.namespace === undefined ? `${kind}/${metadata.name}` : `${kind}/${metadata.namespace}/${metadata.name}`
