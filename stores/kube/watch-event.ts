// One line of a watch (metav1.WatchEvent).
import { z } from 'zod'

const withVersion = z.looseObject({ metadata: z.looseObject({ resourceVersion: z.string() }) })
const line = z.discriminatedUnion('type', [
  z.object({ type: z.enum(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK']), object: withVersion }),
  z.object({
    type: z.literal('ERROR'),
    object: z.object({ code: z.int().optional(), message: z.string().optional() }),
  }),
])

export type WatchEvent =
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; resourceVersion: string; object: unknown }
  | { type: 'ERROR'; code: number; message: string }

/** Throws a ZodError on what is no event. */
export function watchEvent(plain: unknown): WatchEvent {
  const { type, object } = line.parse(plain)
  if (type === 'ERROR') return { type, code: object.code ?? 0, message: object.message ?? 'the server gave no reason' }
  return { type, resourceVersion: object.metadata.resourceVersion, object }
}
