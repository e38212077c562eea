// Making, adopting and giving up disks. Every step can be repeated after a crash at any point.
import type { BundleArchive } from '../../../protocol/bundle/document.ts'
import type { ArchiveId, FencingEpoch } from '../../../protocol/ids.ts'
import { type ImageDriver, ImageFailure } from '../../drivers/image/port.ts'
import type { Fence } from '../../fence/fence.ts'
import { diskOf, type Sidecar, type Sidecars } from '../../fence/sidecar.ts'

/** Why a disk could not be had, for the archive's report. */
export class DiskFailure extends Error {
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

export interface DiskTools {
  image: ImageDriver
  sidecars: Sidecars
  fence: Fence
  /** The epoch under which the operator key lets it start here; undefined: it does not say. */
  overridden?(archive: ArchiveId): FencingEpoch | undefined
}

function sidecarOf(definition: BundleArchive, state: Sidecar['state']): Sidecar {
  const { id, name, namespace, fencingEpoch, image } = definition
  return { id, name, namespace, fencingEpoch, imageSha256: image.sha256, format: image.format, state }
}

/** The disk from its image: the sidecar says `preparing` before there is a disk and `ready` after. */
export async function makeDisk(tools: DiskTools, definition: BundleArchive, signal: AbortSignal): Promise<void> {
  await tools.sidecars.write(sidecarOf(definition, 'preparing'))
  try {
    await tools.image.create(definition.id, definition.image, signal)
  } catch (error) {
    throw error instanceof ImageFailure ? new DiskFailure(error.code, error.message) : error
  }
  await tools.sidecars.write(sidecarOf(definition, 'ready'))
}

/** A retained disk becomes this archive's. The old sidecar says so first: no second archive can take it. */
export async function adoptDisk(tools: DiskTools, definition: BundleArchive, disk: ArchiveId): Promise<void> {
  const { sidecars } = tools
  const old = await sidecars.read(disk)
  const fail = (message: string) => {
    throw new DiskFailure('AdoptRefused', message)
  }
  if (old === undefined || old === 'unreadable') return fail('no such retained disk')
  if (old.namespace !== definition.namespace) return fail(`the disk belongs to namespace ${old.namespace}`)
  if (old.imageSha256 !== definition.image.sha256) return fail('the disk was made from another image')
  if (old.state !== 'retained') return fail('the disk is in use')
  if (old.adoptedBy !== undefined && old.adoptedBy !== definition.id)
    return fail(`archive ${old.adoptedBy} has the disk`)
  if (!(await tools.image.disk(disk))) return fail('the disk is gone')
  await sidecars.write({ ...old, adoptedBy: definition.id })
  await sidecars.write({ ...sidecarOf(definition, 'ready'), ...(disk !== definition.id && { disk }) })
}

/** Fence first, durably; then the disk is kept or deleted. The VM must have ended. */
export async function releaseDisk(
  tools: DiskTools,
  definition: BundleArchive,
  then: 'retain' | 'destroy',
): Promise<void> {
  const { fence, sidecars, image } = tools
  await fence.release(definition.id, definition.fencingEpoch)
  const own = await sidecars.read(definition.id)
  if (own === 'unreadable') {
    if (then === 'destroy') throw new DiskFailure('SidecarUnreadable', 'whose disk this is cannot be read')
    return
  }
  if (!own) {
    if (then === 'destroy') await image.destroy(definition.id)
    return
  }
  const disk = diskOf(own)
  if (then === 'destroy') {
    await image.destroy(disk)
    if (disk !== definition.id) await sidecars.remove(disk)
    await sidecars.remove(definition.id)
    return
  }
  if (disk === definition.id) return sidecars.write({ ...own, state: 'retained' })
  const lent = await sidecars.read(disk)
  if (lent && lent !== 'unreadable') {
    const { adoptedBy: _returned, ...kept } = lent
    await sidecars.write({ ...kept, name: own.name, namespace: own.namespace, fencingEpoch: own.fencingEpoch })
  }
  await sidecars.remove(definition.id)
}

/** Disks kept here that no archive has. */
export async function retainedDisks({ image, sidecars }: DiskTools) {
  const kept: { id: ArchiveId; namespace: string; name: string; sizeMiB: number }[] = []
  for (const { id, sizeMiB } of await image.list()) {
    const of = await sidecars.read(id)
    if (!of || of === 'unreadable' || of.state !== 'retained' || of.adoptedBy !== undefined) continue
    kept.push({ id, namespace: of.namespace, name: of.name, sizeMiB })
  }
  return kept
}
