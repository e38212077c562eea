// The authority's keys as a Secret: one entry a file of `keys/`. The operator's secret half has no place in it.
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { OPERATOR_FILE } from '../../authority/keys/keys.ts'
import { PpnError } from '../../base/errors.ts'
import { type KubeAnswer, type KubeApi, statusText } from '../../stores/kube/api.ts'

const DATA = z.object({
  metadata: z.object({ resourceVersion: z.string() }),
  data: z.record(z.string(), z.base64()).default({}),
})
export type KeysSecret = z.output<typeof DATA>

const collection = (namespace: string) => `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets`

/** Throws KubeRefused. The answer is never quoted: it holds keys. */
export async function readKeysSecret(api: KubeApi, namespace: string, name: string): Promise<KeysSecret> {
  const answer = await api.request({ method: 'GET', path: `${collection(namespace)}/${encodeURIComponent(name)}` })
  if (answer.status !== 200) throw new PpnError('KubeRefused', { what: `Secret/${name}`, why: statusText(answer) })
  const read = DATA.safeParse(answer.body)
  if (!read.success) throw new PpnError('KeysUnreadable', { file: `Secret/${name}`, why: 'it is no Secret of ppn' })
  return read.data
}

export const keysInSecret = ({ data }: KeysSecret): Map<string, Uint8Array> =>
  new Map(Object.entries(data).map(([name, text]) => [name, new Uint8Array(Buffer.from(text, 'base64'))]))

/** Creates it, or one in its place when it holds other files: a Secret of ours is immutable. Throws KubeRefused. */
export async function writeKeysSecret(
  api: KubeApi,
  namespace: string,
  name: string,
  keys: ReadonlyMap<string, Uint8Array>,
  { dryRun = false } = {},
): Promise<void> {
  const entries = [...keys].filter(([file]) => file !== OPERATOR_FILE)
  const data = Object.fromEntries(entries.map(([file, bytes]) => [file, Buffer.from(bytes).toString('base64')]))
  const query = dryRun ? '?dryRun=All' : ''
  const body = {
    ...{ apiVersion: 'v1', kind: 'Secret', type: 'Opaque', immutable: true },
    metadata: { name, namespace },
  }
  const create = () =>
    api.request({ method: 'POST', path: `${collection(namespace)}${query}`, body: { ...body, data } })
  const refused = (answer: KubeAnswer) =>
    new PpnError('KubeRefused', { what: `Secret/${name}`, why: statusText(answer) })

  let made = await create()
  if (made.status === 409) {
    const found = await readKeysSecret(api, namespace, name)
    if (isDeepStrictEqual(found.data, data)) return
    const { resourceVersion } = found.metadata
    const path = `${collection(namespace)}/${encodeURIComponent(name)}${query}`
    const gone = await api.request({ method: 'DELETE', path, body: { preconditions: { resourceVersion } } })
    if (gone.status >= 300) throw refused(gone)
    if (dryRun) return
    made = await create()
  }
  if (made.status !== 201) throw refused(made)
}
