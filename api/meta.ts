// What every ppn object carries besides its spec. Follows Kubernetes ObjectMeta
// (k8s.io/apimachinery/pkg/apis/meta/v1) so that a folder and a cluster look alike.

export const GROUP = 'ppn.dev'
export const VERSION = 'v1alpha1'
export const API_VERSION = `${GROUP}/${VERSION}` as const

/** Every kind, in the order in which admission and printing go through them. */
export const KINDS = ['Mesh', 'Node', 'Pairing', 'ResourcePool', 'Archive'] as const
export type Kind = (typeof KINDS)[number]

export type ConditionStatus = 'True' | 'False' | 'Unknown'

/** One condition, as in metav1.Condition. */
export interface Condition {
  type: string
  status: ConditionStatus
  /** CamelCase, machine readable, never empty. */
  reason: string
  message: string
  observedGeneration: number
  /** RFC 3339; moves only when `status` moves. */
  lastTransitionTime: string
}

export interface ObjectMeta {
  name: string
  /** Only on namespaced kinds (Archive). */
  namespace?: string
  /** Random at first sight, never reused. */
  uid: string
  /** Counts changes of the author's spec, before defaulting. */
  generation: number
  /** Opaque; changes with every change of the stored object. */
  resourceVersion: string
  /** RFC 3339: when the store first saw the object. */
  creationTimestamp: string
  /** RFC 3339: set while the object is a tombstone waiting for its finalizers. */
  deletionTimestamp?: string
  finalizers: readonly string[]
  labels: Readonly<Record<string, string>>
  annotations: Readonly<Record<string, string>>
}

/** `Kind/name`, or `Kind/namespace/name` for a namespaced kind. */
export type ObjectKey = string & { readonly __objectKey?: never }

export function keyOf(kind: Kind, name: string, namespace?: string): ObjectKey {
  return namespace === undefined ? `${kind}/${name}` : `${kind}/${namespace}/${name}`
}

export interface ParsedKey {
  kind: Kind
  name: string
  namespace?: string
}

/** The inverse of `keyOf`. Throws a TypeError on a string that is not a key. */
export function parseKey(key: ObjectKey): ParsedKey {
  const [kind, a, b, ...rest] = key.split('/')
  if (!KINDS.includes(kind as Kind) || !a || rest.length > 0) throw new TypeError(`not an object key: ${key}`)
  return b === undefined ? { kind: kind as Kind, name: a } : { kind: kind as Kind, namespace: a, name: b }
}

/** Annotations that people set. */
export const ANNOTATION = {
  /** Any value: the object is left alone; Ready is Unknown, reason Paused. */
  paused: 'ppn.dev/paused',
  /** A changed value makes the object reconcile at once. */
  reconcileAt: 'ppn.dev/reconcile-at',
  /** `Orphan`: deletion touches no machine. */
  deletion: 'ppn.dev/deletion',
  /** The object's own name: its held deletion may go on. */
  confirmDelete: 'ppn.dev/confirm-delete',
} as const

export const FINALIZER = 'ppn.dev/teardown'
