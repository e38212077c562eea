import { API_VERSION } from '../../api/meta.ts'
import type { AnyObject } from '../../api/v1alpha1/index.ts'

/** The object as the API server would give it: apiVersion and kind first, nothing undefined. */
export function manifest(object: AnyObject): Record<string, unknown> {
  const { kind, metadata, spec, status } = object
  return JSON.parse(JSON.stringify({ apiVersion: API_VERSION, kind, metadata, spec, status }))
}

/** Several objects as a List, as kubectl prints them; one object as itself. */
export function manifests(objects: readonly AnyObject[], single: boolean): Record<string, unknown> {
  const items = objects.map(manifest)
  return single && items.length === 1
    ? (items[0] as Record<string, unknown>)
    : { apiVersion: 'v1', kind: 'List', items }
}
