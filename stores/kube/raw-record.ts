import { z } from 'zod'

/** A Record as we keep it: `value` is JSON text. */
export interface RawRecord {
  key: string
  value: string
  resourceVersion: string
}

const schema = z.object({
  metadata: z.object({ resourceVersion: z.string() }),
  key: z.string(),
  value: z.string(),
})

/** Throws a ZodError on what is no Record. */
export function rawRecord(plain: unknown): RawRecord {
  const { metadata, key, value } = schema.parse(plain)
  return { key, value, resourceVersion: metadata.resourceVersion }
}
