// Where things are under /apis.
import { API_VERSION, type Kind } from '../../api/meta.ts'
import { NAMES } from '../../api/names.ts'

export interface ResourceRef {
  name: string
  namespace?: string
}

/** Path of all objects of a kind, over all namespaces. */
export const collectionPath = (kind: Kind): string => `/apis/${API_VERSION}/${NAMES[kind].plural}`

export function objectPath(kind: Kind, { name, namespace }: ResourceRef, subresource?: 'status'): string {
  const scope = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`
  const path = `/apis/${API_VERSION}${scope}/${NAMES[kind].plural}/${encodeURIComponent(name)}`
  return subresource ? `${path}/${subresource}` : path
}

/** Path to which a new object is posted. */
export function createPath(kind: Kind, namespace?: string): string {
  const scope = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`
  return `/apis/${API_VERSION}${scope}/${NAMES[kind].plural}`
}

/** Records are nobody's declaration: a group of their own, so that a role for ppn.dev does not reach them. */
export const RECORD_API_VERSION = 'internal.ppn.dev/v1alpha1'
export const recordsPath = (namespace: string): string =>
  `/apis/${RECORD_API_VERSION}/namespaces/${encodeURIComponent(namespace)}/records`
export const registryPath = (namespace: string): string =>
  `/apis/${RECORD_API_VERSION}/namespaces/${encodeURIComponent(namespace)}/registrylines`
