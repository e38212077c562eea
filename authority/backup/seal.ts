// The one file of a backup, encrypted (law 10: the authority's keys leave their folder only so):
//   a line of canonical JSON {"format":"ppn-backup/1","kdf":"scrypt","n":N,"nonce":B,"p":P,"r":R,"salt":B}, a newline,
//   then AES-256-GCM of the gzipped entries with the line, newline included, as additional data; its tag comes last.
// B is base64: salt of 16 bytes, nonce of 12 bytes, both fresh for every backup.
import { createCipheriv, createDecipheriv, scrypt } from 'node:crypto'
import { promisify } from 'node:util'
import { z } from 'zod'
import { PpnError } from '../../base/errors.ts'
import type { RandomBytes } from '../../base/random.ts'
import { canonicalBytes, parseCanonical } from '../../protocol/canonical.ts'

export interface ScryptCost {
  n: number
  r: number
  p: number
}

/** 128 MiB and about half a second: what RFC 7914 calls for where a person waits, with room for slower years. */
const SCRYPT_COST: ScryptCost = { n: 2 ** 17, r: 8, p: 1 }
/** A header asks for the work, and is read before anything is proved: at most 1 GiB. */
const MAX_MEMORY = 2 ** 30
const SALT = 16
const NONCE = 12
const TAG = 16
const KEY = 32
const NEWLINE = 0x0a

const header = z.strictObject({
  format: z.literal('ppn-backup/1'),
  kdf: z.literal('scrypt'),
  n: z.int().min(2),
  r: z.int().min(1).max(32),
  p: z.int().min(1).max(16),
  salt: z.base64(),
  nonce: z.base64(),
})

const unreadable = (why: string): never => {
  throw new PpnError('BackupUnreadable', { why })
}

const derive = promisify<string, Uint8Array, number, { N: number; r: number; p: number; maxmem: number }, Buffer>(
  scrypt,
)

const keyFrom = (passphrase: string, salt: Uint8Array, { n, r, p }: ScryptCost): Promise<Buffer> =>
  derive(passphrase.normalize('NFKC'), salt, KEY, { N: n, r, p, maxmem: 2 * MAX_MEMORY })

export async function sealBackup(
  plain: Uint8Array,
  passphrase: string,
  random: RandomBytes,
  cost: ScryptCost = SCRYPT_COST,
): Promise<Uint8Array> {
  const salt = random(SALT)
  const nonce = random(NONCE)
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')
  const head = { format: 'ppn-backup/1', kdf: 'scrypt', ...cost, salt: base64(salt), nonce: base64(nonce) }
  const line = Buffer.concat([canonicalBytes(head), Buffer.from('\n')])
  const cipher = createCipheriv('aes-256-gcm', await keyFrom(passphrase, salt, cost), nonce)
  cipher.setAAD(line)
  return Buffer.concat([line, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

/** Throws BackupUnreadable for a wrong passphrase as for any changed byte; nothing is given out before the tag holds. */
export async function openBackup(bytes: Uint8Array, passphrase: string): Promise<Uint8Array> {
  const end = bytes.indexOf(NEWLINE)
  if (end < 0 || end > 1024) unreadable('it does not begin as a backup')
  const head = readHeader(bytes.subarray(0, end))
  const [salt, nonce] = [Buffer.from(head.salt, 'base64'), Buffer.from(head.nonce, 'base64')]
  const powerOfTwo = (head.n & (head.n - 1)) === 0
  if (!powerOfTwo || 128 * head.n * head.r > MAX_MEMORY || salt.length !== SALT || nonce.length !== NONCE)
    unreadable('its header asks for what no backup of ours does')
  const body = bytes.subarray(end + 1)
  if (body.length < TAG) unreadable('it is cut short')
  // scrypt itself refuses some: N below 2^(16 r) (RFC 7914, section 2).
  const key = await keyFrom(passphrase, salt, head).catch(() => unreadable('its header asks for what cannot be done'))
  const decipher = createDecipheriv('aes-256-gcm', key, nonce)
  decipher.setAAD(bytes.subarray(0, end + 1))
  decipher.setAuthTag(body.subarray(-TAG))
  const plain = decipher.update(body.subarray(0, -TAG))
  try {
    return Buffer.concat([plain, decipher.final()])
  } catch {
    return unreadable('the passphrase is wrong, or the file was changed')
  }
}

function readHeader(bytes: Uint8Array): z.output<typeof header> {
  try {
    return header.parse(parseCanonical(bytes))
  } catch {
    return unreadable('it does not begin as a backup')
  }
}
