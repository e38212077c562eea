// May this disk be started under this definition? Laws 7 and 8. Pure.
import type { BundleArchive } from '../../protocol/bundle/document.ts'
import type { FencingEpoch } from '../../protocol/ids.ts'
import type { Sidecar } from './sidecar.ts'

export type FenceFault =
  | 'FenceUnreadable'
  | 'SidecarUnreadable'
  | 'SidecarMissing'
  | 'ImageChanged'
  | 'WrongNamespace'
  | 'FenceRefused'

export interface FenceQuestion {
  definition: BundleArchive
  sidecar: Sidecar | 'unreadable' | undefined
  /** Highest epoch this node released. */
  released: FencingEpoch | undefined
  fenceLost: boolean
  /** The operator key lets this archive start here under this epoch. */
  overridden?: FencingEpoch | undefined
}

/** undefined: it may. */
export function fenceFault(q: FenceQuestion): { code: FenceFault; message: string } | undefined {
  const { definition, sidecar, released } = q
  if (q.fenceLost) return { code: 'FenceUnreadable', message: 'what this node gave up is not known' }
  if (sidecar === 'unreadable') return { code: 'SidecarUnreadable', message: 'whose disk this is cannot be read' }
  if (sidecar === undefined) return { code: 'SidecarMissing', message: 'the disk has no sidecar' }
  if (sidecar.imageSha256 !== definition.image.sha256)
    return { code: 'ImageChanged', message: 'the disk was made from another image' }
  if (sidecar.namespace !== definition.namespace)
    return { code: 'WrongNamespace', message: `the disk belongs to namespace ${sidecar.namespace}` }
  const epoch = definition.fencingEpoch
  // The one exception of law 7; what says whose disk it is still has to fit.
  if (q.overridden === epoch) return undefined
  if (sidecar.fencingEpoch !== epoch)
    return { code: 'FenceRefused', message: `the disk is of epoch ${sidecar.fencingEpoch}, the bundle says ${epoch}` }
  if (released !== undefined && released >= epoch)
    return { code: 'FenceRefused', message: `this node gave the archive up at epoch ${released}` }
  return undefined
}
