// The part of metadata that an author writes; the store owns the rest.
import { z } from 'zod'
import { dnsLabel } from './v1alpha1/common.ts'

/** Optional DNS prefix and a name, as Kubernetes reads the keys of labels and annotations. */
const qualifiedName = z
  .string()
  .min(1)
  .max(317)
  .regex(/^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/)

const labelValue = z
  .string()
  .max(63)
  .regex(/^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/)

/** Bytes of all annotations together, as in Kubernetes. */
const ANNOTATIONS_LIMIT = 256 * 1024

export const authorMetadata = z.strictObject({
  name: dnsLabel,
  namespace: dnsLabel.optional(),
  labels: z.record(qualifiedName, labelValue).default({}),
  annotations: z
    .record(qualifiedName, z.string().max(ANNOTATIONS_LIMIT))
    .refine((all) => Object.entries(all).reduce((sum, [k, v]) => sum + k.length + v.length, 0) <= ANNOTATIONS_LIMIT, {
      error: 'all annotations together are over 256 KiB',
    })
    .default({}),
})

/** What a store writes into metadata: found in a source (an export, a copy) it means nothing and is ignored. */
export const STORE_OWNED_METADATA: readonly string[] = [
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'finalizers',
  'managedFields',
  'ownerReferences',
  'selfLink',
]
