// The operator key as a file to be kept offline: sealed with a passphrase, in the format of a backup.
import { z } from 'zod'
import { PpnError } from '../../base/errors.ts'
import type { RandomBytes } from '../../base/random.ts'
import { canonicalBytes, parseCanonical } from '../../protocol/canonical.ts'
import { ed25519PublicKey, fromBase64, type KeyPair, toBase64 } from '../../protocol/keys.ts'
import { openBackup, type ScryptCost, sealBackup } from '../backup/seal.ts'

const inside = z.strictObject({
  format: z.literal('ppn-operator-key/1'),
  secretKey: z.string().length(44),
})

export function sealOperatorKey(
  secretKey: Uint8Array,
  passphrase: string,
  random: RandomBytes,
  cost?: ScryptCost,
): Promise<Uint8Array> {
  const plain = canonicalBytes({ format: 'ppn-operator-key/1', secretKey: toBase64(secretKey) })
  return sealBackup(plain, passphrase, random, cost)
}

/** Throws BackupUnreadable for a wrong passphrase or a changed byte, OperatorKeyUnreadable for another file of ours. */
export async function openOperatorKey(bytes: Uint8Array, passphrase: string): Promise<KeyPair> {
  const plain = await openBackup(bytes, passphrase)
  try {
    const secretKey = fromBase64(inside.parse(parseCanonical(plain)).secretKey, 32)
    const publicKey = ed25519PublicKey(secretKey)
    return Object.defineProperty({ publicKey } as KeyPair, 'secretKey', { value: secretKey, enumerable: false })
  } catch {
    // The cause may quote what it could not parse, which is a secret.
    throw new PpnError('OperatorKeyUnreadable')
  }
}
