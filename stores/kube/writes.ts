// What the control plane writes into people's objects: status by server-side apply, finalizers by test-and-set.
// An object that is gone, or is another one by the same name, is left alone.
import { API_VERSION, type Kind, keyOf, type ObjectKey, parseKey } from '../../api/meta.ts'
import { PpnError } from '../../base/errors.ts'
import { type KubeAnswer, type KubeApi, PATCH, statusText } from './api.ts'
import { rawObject } from './raw.ts'
import { createPath, objectPath } from './resources.ts'

/** Who owns the fields of status. Another name would make every status of before somebody else's. */
export const FIELD_MANAGER = 'ppn-authority'
/** A finalizer list that somebody else changes all the time is somebody else's fault. */
const TRIES = 5

export interface Target {
  name: string
  namespace?: string
  uid: string
  /** As last seen. */
  resourceVersion: string
}

export interface Writes {
  /** The object as it is after the write; undefined when there is nothing (any more) to write to. */
  status(kind: Kind, at: Target, status: unknown): Promise<unknown>
  /**
   * Replaces the finalizers with what `change` makes of them, as often as somebody else was faster. `change` returns
   * undefined to leave them.
   */
  finalizers(
    key: ObjectKey,
    uid: string,
    seen: { resourceVersion: string; finalizers: readonly string[] },
    change: (finalizers: readonly string[], deleting: boolean) => readonly string[] | undefined,
  ): Promise<unknown>
  create(kind: Kind, name: string, namespace: string | undefined, object: object): Promise<unknown>
  replaceSpec(key: ObjectKey, seen: { uid: string; resourceVersion: string }, spec: unknown): Promise<unknown>
  /** `gone`: there is nothing left. Else what it waits for its finalizers as; undefined: somebody else was faster. */
  remove(key: ObjectKey, uid: string): Promise<'gone' | Record<string, unknown> | undefined>
}

export function kubeWrites(api: Pick<KubeApi, 'request'>): Writes {
  const refused = (what: string, answer: KubeAnswer) => new PpnError('KubeRefused', { what, why: statusText(answer) })
  const merge = (key: ObjectKey, body: unknown) => {
    const { kind, ...at } = parseKey(key)
    const path = `${objectPath(kind, at)}?fieldManager=${FIELD_MANAGER}`
    return api.request({ method: 'PATCH', path, contentType: PATCH.merge, body })
  }
  /** The metadata after a lost race; undefined when the object is gone, or another one by now. */
  const look = async (key: ObjectKey, uid: string) => {
    const { kind, ...at } = parseKey(key)
    const answer = await api.request({ method: 'GET', path: objectPath(kind, at) })
    if (answer.status === 404) return undefined
    if (answer.status !== 200) throw refused(key, answer)
    const { metadata } = rawObject.parse(answer.body)
    return metadata.uid === uid ? metadata : undefined
  }
  return {
    async status(kind, { name, namespace, uid, resourceVersion }, status) {
      const at = { name, ...(namespace !== undefined && { namespace }) }
      const key = keyOf(kind, name, namespace)
      const path = `${objectPath(kind, at, 'status')}?fieldManager=${FIELD_MANAGER}&force=true`
      for (let tries = 0, version = resourceVersion; tries < TRIES; tries++) {
        // The server takes no uid for a precondition of an apply: the version is what keeps a status off a namesake.
        const body = { apiVersion: API_VERSION, kind, metadata: { ...at, resourceVersion: version }, status }
        const answer = await api.request({ method: 'PATCH', path, contentType: PATCH.apply, body })
        if (answer.status === 200) return answer.body
        if (answer.status === 404) return undefined
        if (answer.status !== 409) throw refused(`the status of ${key}`, answer)
        const now = await look(key, uid)
        if (!now) return undefined
        version = now.resourceVersion
      }
      throw new PpnError('Conflict', { key })
    },
    async finalizers(key, uid, seen, change) {
      let { resourceVersion, finalizers } = seen
      let deleting = false
      for (let tries = 0; tries < TRIES; tries++) {
        const next = change(finalizers, deleting)
        if (next === undefined) return undefined
        const answer = await merge(key, { metadata: { uid, resourceVersion, finalizers: next } })
        if (answer.status === 200) return answer.body
        if (answer.status === 404) return undefined
        if (answer.status !== 409) throw refused(`the finalizers of ${key}`, answer)
        const now = await look(key, uid)
        if (!now) return undefined
        ;({ resourceVersion } = now)
        finalizers = now.finalizers ?? []
        deleting = now.deletionTimestamp !== undefined
      }
      throw new PpnError('Conflict', { key })
    },
    async create(kind, name, namespace, object) {
      const path = `${createPath(kind, namespace)}?fieldManager=${FIELD_MANAGER}&fieldValidation=Strict`
      const answer = await api.request({ method: 'POST', path, body: object })
      if (answer.status === 409) throw new PpnError('AlreadyExists', { key: `${kind}/${name}` })
      if (answer.status === 422 || answer.status === 400)
        throw new PpnError('InvalidObject', { key: `${kind}/${name}`, what: statusText(answer) })
      if (answer.status !== 201) throw refused(`${kind}/${name}`, answer)
      return answer.body
    },
    async replaceSpec(key, { uid, resourceVersion }, spec) {
      const answer = await merge(key, { metadata: { uid, resourceVersion }, spec })
      if (answer.status === 404) throw new PpnError('ObjectNotFound', { key })
      if (answer.status === 409) throw new PpnError('Conflict', { key })
      if (answer.status === 422) throw new PpnError('InvalidObject', { key, what: statusText(answer) })
      if (answer.status !== 200) throw refused(key, answer)
      return answer.body
    },
    async remove(key, uid) {
      const { kind, ...at } = parseKey(key)
      const answer = await api.request({
        method: 'DELETE',
        path: objectPath(kind, at),
        body: { preconditions: { uid } },
      })
      // 409: it is another object by now.
      if (answer.status === 404 || answer.status === 409) return undefined
      if (answer.status !== 200) throw refused(key, answer)
      return answer.body.kind === kind ? answer.body : 'gone'
    },
  }
}
