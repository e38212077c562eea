// Small durable records of the agent. Layout: 64 hex digits of SHA-256 over the rest, a line feed, JSON.
// A power cut cannot tear them (Files.write is atomic), but a bad disk can: what does not check is not read.
import { createHash } from 'node:crypto'
import type { ZodType } from 'zod'

const DIGEST_CHARS = 64

function checksum(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

export function sealJson(value: unknown): Uint8Array {
  const text = JSON.stringify(value)
  return Buffer.from(`${checksum(text)}\n${text}`)
}

/** The record, or undefined when the bytes are not exactly what `sealJson` wrote for this schema. */
export function openJson<T>(bytes: Uint8Array, schema: ZodType<T>): T | undefined {
  const text = Buffer.from(bytes).toString('utf8')
  const body = text.slice(DIGEST_CHARS + 1)
  if (text[DIGEST_CHARS] !== '\n' || text.slice(0, DIGEST_CHARS) !== checksum(body)) return undefined
  try {
    const value: unknown = JSON.parse(body)
    // A member twice, a blank, a byte that is no UTF-8: read the same, and never written by us.
    return Buffer.compare(sealJson(value), bytes) === 0 ? schema.safeParse(value).data : undefined
  } catch {
    return undefined
  }
}
