// An object as the API server has it, as far as we look at it.
import { z } from 'zod'

const text = z.record(z.string(), z.string())

const metadata = z.object({
  name: z.string(),
  namespace: z.string().optional(),
  uid: z.string(),
  resourceVersion: z.string(),
  generation: z.int().optional(),
  creationTimestamp: z.string(),
  deletionTimestamp: z.string().optional(),
  finalizers: z.array(z.string()).optional(),
  labels: text.optional(),
  annotations: text.optional(),
})

export const rawObject = z.object({ metadata, spec: z.unknown().optional(), status: z.unknown().optional() })
export type RawObject = z.output<typeof rawObject>

export const rawList = z.object({
  metadata: z.object({ resourceVersion: z.string(), continue: z.string().optional() }),
  items: z.array(z.unknown()),
})

/** The order in which etcd wrote things: resource versions of one server are integers that rise (KEP-5504). */
export const revisionOf = (resourceVersion: string): number => Number(resourceVersion)
