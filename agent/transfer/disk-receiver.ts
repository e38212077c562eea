// Takes a disk that another node pushes (section 7.2): only from the node the applied bundle names, only under the
// chunk-list root it names, each chunk proved before it is written. What is held survives a restart.
import type { BundleArchive } from '../../protocol/bundle/document.ts'
import type { ArchiveId } from '../../protocol/ids.ts'
import { chunkFits } from '../../protocol/sync/chunk-list.ts'
import { CHUNK_BYTES, type SyncFrame } from '../../protocol/sync/frame.ts'
import type { DiskTools } from '../apply/archives/disks.ts'
import { ImageFailure } from '../drivers/image/port.ts'
import type { Sidecar } from '../fence/sidecar.ts'
import { TransferRefused, type TransferSink } from './receiver.ts'

/** Progress is made durable every so many chunks: at most so many are sent again after a crash. */
const NOTE_EVERY = 16

type DiskOffer = Extract<SyncFrame, { type: 'offer' }>['offer']

export interface DiskReceiverOptions {
  disks: DiskTools
  /** Of the applied bundle. */
  archives(): readonly BundleArchive[]
  /** Is there a VM process? */
  alive(id: ArchiveId): boolean
  /** The disk is complete. */
  ready(id: ArchiveId): void
  changed(): void
}

export interface DiskReceiver {
  /** Whoever the applied bundle names as a pusher; undefined: nobody. */
  sinkFor(address: string): TransferSink | undefined
  progress(id: ArchiveId): { held: number; chunks: number } | undefined
  /** Why the last chunk could not be written; gone when one can, or when the bundle expects no disk any more. */
  failure(id: ArchiveId): { code: string; message: string } | undefined
}

export function createDiskReceiver(options: DiskReceiverOptions): DiskReceiver {
  const { disks } = options
  const { sidecars, image, fence } = disks
  const progress = new Map<ArchiveId, { held: number; chunks: number }>()
  const failures = new Map<ArchiveId, { code: string; message: string }>()

  const definitionOf = (offer: DiskOffer, address: string): BundleArchive => {
    const found = options.archives().find((a) => a.id === offer.archive && a.receiveFrom === address)
    const wanted = found && found.chunkListRoot === offer.root && found.fencingEpoch > offer.fencingEpoch
    const released = fence.lost || (fence.released(offer.archive) ?? -1) >= (found?.fencingEpoch ?? 0)
    if (!found || !wanted || released || found.remove || options.alive(found.id)) throw new TransferRefused('DiskOffer')
    return found
  }

  /** The sidecar under which this offer is received; an incomplete disk of another root, or an older copy, goes. */
  const begin = async (definition: BundleArchive, offer: DiskOffer, chunks: number): Promise<Sidecar> => {
    const { id, name, namespace, fencingEpoch, image: spec } = definition
    const before = await sidecars.read(id)
    if (before === 'unreadable') throw new TransferRefused('DiskOffer')
    if (before?.state === 'ready' && before.fencingEpoch >= fencingEpoch) throw new TransferRefused('DiskOffer')
    if (before?.disk !== undefined || before?.adoptedBy !== undefined) throw new TransferRefused('DiskOffer')
    const same =
      before?.state === 'receiving' && before.receiving?.root === offer.root && before.fencingEpoch === fencingEpoch
    if (before && same) return before
    const next: Sidecar = {
      id,
      name,
      namespace,
      fencingEpoch,
      imageSha256: spec.sha256,
      format: spec.format,
      state: 'receiving',
      receiving: { root: offer.root, held: 0, chunks },
    }
    await sidecars.write(next)
    await image.destroy(id)
    return next
  }

  const write = async (id: ArchiveId, index: number, bytes: Uint8Array): Promise<void> => {
    try {
      await image.writeChunk(id, index, bytes)
    } catch (error) {
      if (!(error instanceof ImageFailure)) throw error
      failures.set(id, { code: error.code, message: error.message })
      options.changed()
      throw new TransferRefused(error.code)
    }
    if (failures.delete(id)) options.changed()
  }

  const sinkFor = (address: string): TransferSink | undefined => {
    if (!options.archives().some((a) => a.receiveFrom === address && a.chunkListRoot !== undefined)) return undefined
    let current: { offer: DiskOffer; sidecar: Sidecar; held: number; chunks: number } | undefined

    const note = async (held: number): Promise<void> => {
      if (!current) return
      const { offer, sidecar, chunks } = current
      await sidecars.write({ ...sidecar, receiving: { root: offer.root, held, chunks } })
      progress.set(offer.archive, { held, chunks })
      options.changed()
    }
    const takeOffer = async (offer: DiskOffer): Promise<void> => {
      const chunks = Math.ceil(offer.sizeBytes / CHUNK_BYTES)
      const sidecar = await begin(definitionOf(offer, address), offer, chunks)
      const held = sidecar.receiving?.held ?? 0
      current = { offer, sidecar, held, chunks }
      progress.set(offer.archive, { held, chunks })
      options.changed()
    }
    const takeChunk = async ({ index, bytes, proof }: SyncFrame & { type: 'chunk' }): Promise<void> => {
      if (!current || index > current.held) throw new TransferRefused('DiskChunk')
      const { offer, chunks } = current
      definitionOf(offer, address)
      if (index < current.held) return
      if (!chunkFits(offer.root, chunks, index, bytes, proof)) throw new TransferRefused('DiskChunk')
      await write(offer.archive, index, bytes)
      current.held++
      if (current.held % NOTE_EVERY === 0) await note(current.held)
    }
    const takeEnd = async (): Promise<void> => {
      if (!current || current.held < current.chunks) throw new TransferRefused('DiskChunk')
      const { offer, sidecar } = current
      definitionOf(offer, address)
      const { receiving: _done, ...rest } = sidecar
      await sidecars.write({ ...rest, state: 'ready' })
      progress.delete(offer.archive)
      current = undefined
      options.ready(offer.archive)
    }

    return {
      async take(frame) {
        if (frame.type === 'offer') return takeOffer(frame.offer)
        if (frame.type === 'chunk') return takeChunk(frame)
        if (frame.type === 'end') return takeEnd()
        throw new TransferRefused('SyncSource')
      },
      async cut() {
        if (current) await note(current.held)
      },
    }
  }
  const expected = (id: ArchiveId) => options.archives().some((a) => a.id === id && a.chunkListRoot !== undefined)
  return {
    sinkFor,
    progress: (id) => (expected(id) ? progress.get(id) : undefined),
    failure: (id) => (expected(id) ? failures.get(id) : undefined),
  }
}
