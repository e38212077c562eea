// The code of a Pairing that names a Secret, so that it stands in no object that others may list. The authority's role
// reads one Secret by name; whoever wants another one binds a Role for it.
import { z } from 'zod'
import type { PairingCode, SecretRef } from '../../controllers/ports/pairing-codes.ts'
import { type KubeApi, statusText } from './api.ts'

/** The one that manifests/base allows. */
export const CODES_SECRET = 'ppn-pairing-codes'
const READ_WITHIN_MS = 5_000
const secret = z.object({ data: z.record(z.string(), z.string()).default({}) })
/** As `code` in a Pairing (api/v1alpha1/pairing.ts). */
const CODE = /^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$/

/** Never throws and never says what it read. `namespace`: the authority's. */
export function pairingCodes(api: Pick<KubeApi, 'request'>, namespace: string) {
  return async ({ name, key }: SecretRef): Promise<PairingCode> => {
    const at = `Secret ${name} in namespace ${namespace}`
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets/${encodeURIComponent(name)}`
    try {
      const answer = await api.request({ method: 'GET', path, withinMs: READ_WITHIN_MS })
      if (answer.status === 404) return { why: `there is no ${at}` }
      if (answer.status === 403) return { why: `the authority may read ${CODES_SECRET}, not ${at}` }
      if (answer.status !== 200) return { why: `${at}: ${statusText(answer)}` }
      const text = secret.parse(answer.body).data[key]
      if (text === undefined) return { why: `${at} has no key ${key}` }
      const code = Buffer.from(text, 'base64').toString('utf8').trim()
      return CODE.test(code) ? { code } : { why: `key ${key} of ${at} holds no code like XXXX-XXXX` }
    } catch (error) {
      return { why: `${at}: ${(error as Error).message}` }
    }
  }
}
