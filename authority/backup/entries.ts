// What is inside: gzipped lines of canonical JSON. The first is the manifest, which names every file with its size
// and SHA-256; the others are {"name","data"} (base64), in the manifest's order.
import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import { z } from 'zod'
import { PpnError } from '../../base/errors.ts'
import { canonicalBytes, parseCanonical } from '../../protocol/canonical.ts'

export interface BackupEntry {
  /** Path in the state folder, `/` between folder and file. */
  name: string
  bytes: Uint8Array
}

const manifest = z.strictObject({
  version: z.literal(1),
  /** Clock.now() of the backup. */
  createdMs: z.int().min(0),
  entries: z.array(z.strictObject({ name: z.string(), size: z.int().min(0), sha256: z.string().length(64) })),
})
const line = z.strictObject({ name: z.string(), data: z.string() })

/** At most one folder deep, and nothing that could lead out of the state folder. */
const NAME = /^([a-zA-Z0-9][\w.-]*\/)?[a-zA-Z0-9][\w.-]*$/

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const unreadable = (why: string): never => {
  throw new PpnError('BackupUnreadable', { why })
}

export async function packEntries(entries: readonly BackupEntry[], createdMs: number): Promise<Uint8Array> {
  const listed = entries.map(({ name, bytes }) => ({ name, size: bytes.length, sha256: sha256(bytes) }))
  const lines: unknown[] = [
    { version: 1, createdMs, entries: listed },
    ...entries.map(({ name, bytes }) => ({ name, data: Buffer.from(bytes).toString('base64') })),
  ]
  const parts = lines.flatMap((value) => [canonicalBytes(value), Buffer.from('\n')])
  return promisify(gzip)(Buffer.concat(parts))
}

/** Throws BackupUnreadable unless every file of the manifest is there, whole, and no other. */
export async function unpackEntries(packed: Uint8Array): Promise<{ createdMs: number; entries: BackupEntry[] }> {
  const lines = Buffer.from(await promisify(gunzip)(packed).catch(() => unreadable('it cannot be unpacked')))
  const rows: Uint8Array[] = []
  for (let from = 0, end = lines.indexOf(10); end >= 0; from = end + 1, end = lines.indexOf(10, from))
    rows.push(lines.subarray(from, end))
  const head = read(manifest, rows[0])
  if (rows.length !== head.entries.length + 1) unreadable('files are missing')
  const entries = head.entries.map((listed, i) => {
    const { name, data } = read(line, rows[i + 1])
    const bytes = Buffer.from(data, 'base64')
    if (!NAME.test(name) || name !== listed.name) unreadable(`"${name}" is no file of a state folder`)
    if (bytes.length !== listed.size || sha256(bytes) !== listed.sha256) unreadable(`${name} is damaged`)
    return { name, bytes: new Uint8Array(bytes) }
  })
  if (new Set(entries.map(({ name }) => name)).size !== entries.length) unreadable('a file comes twice')
  return { createdMs: head.createdMs, entries }
}

function read<T extends z.ZodType>(schema: T, bytes: Uint8Array | undefined): z.output<T> {
  try {
    return schema.parse(parseCanonical(bytes ?? new Uint8Array()))
  } catch {
    return unreadable('its list of files is damaged')
  }
}
