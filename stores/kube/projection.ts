// From what the API server holds to what a store hands out: parsed, and without what nobody here reads.
import { isDeepStrictEqual } from 'node:util'
import { UNSEEN_GENERATION } from '../../api/crd/status.ts'
import type { Issue } from '../../api/issues.ts'
import { API_VERSION, type Kind, keyOf, type ObjectKey, type ObjectMeta } from '../../api/meta.ts'
import { parseObject } from '../../api/parse.ts'
import type { AnyObject } from '../../api/v1alpha1/index.ts'
import { type RawObject, rawObject, revisionOf } from './raw.ts'

export interface Projected {
  kind: Kind
  key: ObjectKey
  /** Resource version as a number. */
  revision: number
  metadata: ObjectMeta
  status: unknown
  /** Parsed and defaulted; undefined when our schema refuses the object, and `issues` say why. */
  spec?: AnyObject['spec']
  issues: readonly Issue[]
}

/** kubectl's own memory of a whole object: as long as the object, and of no use here. */
const UNREAD_ANNOTATION = 'kubectl.kubernetes.io/last-applied-configuration'

function metadataOf({ metadata }: RawObject): ObjectMeta {
  const { [UNREAD_ANNOTATION]: _, ...annotations } = metadata.annotations ?? {}
  const { name, namespace, uid, resourceVersion, creationTimestamp, deletionTimestamp } = metadata
  return {
    name,
    ...(namespace !== undefined && { namespace }),
    uid,
    generation: metadata.generation ?? 1,
    resourceVersion,
    creationTimestamp,
    ...(deletionTimestamp !== undefined && { deletionTimestamp }),
    finalizers: metadata.finalizers ?? [],
    labels: metadata.labels ?? {},
    annotations,
  }
}

interface RawStatus {
  observedGeneration?: number
  conditions?: { type: string }[]
}

/**
 * What an authority wrote: not the CRD's default, and not the conditions of others, whose types have a domain
 * (`example.com/Audited`), as Kubernetes' conventions want it.
 */
function statusOf(raw: unknown): unknown {
  if (typeof raw !== 'object' || raw === null) return undefined
  const { observedGeneration, conditions } = raw as RawStatus
  if (observedGeneration === UNSEEN_GENERATION) return undefined
  if (!Array.isArray(conditions)) return raw
  return { ...raw, conditions: conditions.filter(({ type }) => !type.includes('/')) }
}

/** Nothing that was parsed differs: the server counts a generation for every change of a spec. */
const sameDeclaration = (a: ObjectMeta, b: ObjectMeta) =>
  a.uid === b.uid &&
  a.generation === b.generation &&
  isDeepStrictEqual(a.labels, b.labels) &&
  isDeepStrictEqual(a.annotations, b.annotations)

/**
 * `known`: what is held of a key. Most news are of a status, our own above all; the spec that is held is taken again
 * then, as checking it is the larger part of the work. Throws a ZodError on what is no object of the API at all.
 */
export function project(kind: Kind, plain: unknown, known?: (key: ObjectKey) => AnyObject | undefined): Projected {
  const raw = rawObject.parse(plain)
  const metadata = metadataOf(raw)
  const { name, namespace, labels, annotations } = metadata
  const key = keyOf(kind, name, namespace)
  const told = { kind, key, revision: revisionOf(metadata.resourceVersion), metadata, status: statusOf(raw.status) }
  const before = known?.(key)
  if (before && sameDeclaration(before.metadata, metadata)) return { ...told, spec: before.spec, issues: [] }
  const read = parseObject({
    ...{ apiVersion: API_VERSION, kind, spec: raw.spec },
    metadata: { name, ...(namespace !== undefined && { namespace }), labels, annotations },
  })
  return read.type === 'invalid'
    ? { ...told, issues: read.issues }
    : { ...told, issues: [], ...(read.type === 'object' && { spec: read.draft.spec }) }
}

/** The object that readers get. One that our schema refuses keeps the spec and the generation it had. */
export function asObject({ kind, metadata, spec, status }: Projected, before?: AnyObject): AnyObject | undefined {
  const held = before?.metadata.uid === metadata.uid ? before : undefined
  const good = spec ?? held?.spec
  if (good === undefined) return undefined
  const generation = spec === undefined ? (held?.metadata.generation ?? 0) : metadata.generation
  const object = { kind, metadata: { ...metadata, generation }, spec: good }
  return (status === undefined ? object : { ...object, status }) as AnyObject
}

/** Whether a reader would see no difference, the resource version aside: managed fields move without anybody. */
export function sameToReaders(a: AnyObject, b: AnyObject): boolean {
  const bare = ({ metadata: { resourceVersion: _, ...metadata }, ...rest }: AnyObject) => ({ ...rest, metadata })
  return isDeepStrictEqual(bare(a), bare(b))
}
