// Whose facts these are. On a cluster keys and facts lie apart, and a Secret made anew would be believed: by nobody but the
// authority itself.
import { PpnError } from '../../base/errors.ts'
import type { RecordStore } from '../../controllers/ports/store.ts'
import { fingerprint, fromBase64, toBase64 } from '../../protocol/keys.ts'
import type { Keys } from './keys.ts'

export const KEYS_RECORD = 'keys/signing'

/**
 * Notes the signing key that these facts belong to, or finds it noted. Throws KeysOfAnother for keys that neither are
 * those nor follow from them by a document of the operator key.
 */
export async function ownFacts(
  records: Pick<RecordStore, 'get' | 'put'>,
  { signing, formerSigning }: Pick<Keys, 'signing' | 'formerSigning'>,
): Promise<void> {
  const own = toBase64(signing.publicKey)
  const noted = records.get(KEYS_RECORD)
  const known = noted?.value as string | undefined
  if (known === own) return
  if (known !== undefined && !formerSigning.some((key) => toBase64(key) === known))
    throw new PpnError('KeysOfAnother', {
      given: fingerprint(signing.publicKey),
      known: fingerprint(fromBase64(known, 32)),
    })
  await records.put(KEYS_RECORD, own, noted?.version ?? 0)
}
