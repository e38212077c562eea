// Pushes disks that the applied bundle's orders name: only of archives this node gave up, whose VM has ended. It
// never learns from the receiver what became of it (law 1); the order goes when telemetry shows the disk there.
import type { Clock } from '../../base/clock.ts'
import { lengthFrame } from '../../base/length-frames.ts'
import type { Logger } from '../../base/log.ts'
import type { Transport } from '../../base/transport.ts'
import type { BundleContent } from '../../protocol/bundle/document.ts'
import type { ArchiveId, Digest } from '../../protocol/ids.ts'
import { type ChunkList, chunkHash, chunkList } from '../../protocol/sync/chunk-list.ts'
import { CHUNK_BYTES, encodeSyncFrame } from '../../protocol/sync/frame.ts'
import type { DiskTools } from '../apply/archives/disks.ts'
import { diskOf } from '../fence/sidecar.ts'
import { serialQueue } from '../timing/serial.ts'

/** The archive may still be stopping. */
const NOT_OURS_MS = 1_000
/** The receiver's bundle may not name the root yet, or the push was cut. */
const AGAIN_MS = 5_000
/** A push that ran to its end is repeated only if the order still stands after this. */
const STANDING_MS = 15_000

type Order = BundleContent['pushes'][number]

export interface DiskSenderOptions {
  transport: Transport
  clock: Clock
  log: Logger
  disks: DiskTools
  /** Of the applied bundle; undefined: none, or the node has left the mesh. */
  content(): BundleContent | undefined
  alive(id: ArchiveId): boolean
  changed(): void
}

export interface DiskSender {
  /** Orders may have changed: starts what is ordered and ends what is not. */
  converge(): void
  /** Root of the chunk list of a disk that is to be pushed, once it has been read through. */
  root(id: ArchiveId): Digest | undefined
}

interface Prepared {
  list: ChunkList
  sizeBytes: number
  chunks: number
  fencingEpoch: number
  disk: ArchiveId
}

export function createDiskSender(options: DiskSenderOptions, signal: AbortSignal): DiskSender {
  const { transport, clock, log, disks } = options
  const running = new Map<string, AbortController>()
  const prepared = new Map<ArchiveId, Prepared>()
  /** A receiver takes one transfer from one node: a second connection would cut the first, and what it is taking in. */
  const turns = new Map<string, ReturnType<typeof serialQueue>>()

  /** Reads the disk through once; undefined while it is not ours to give. */
  const prepare = async (id: ArchiveId): Promise<Prepared | undefined> => {
    const known = prepared.get(id)
    if (known) return known
    const sidecar = await disks.sidecars.read(id)
    if (!sidecar || sidecar === 'unreadable' || options.alive(id)) return undefined
    if ((disks.fence.released(id) ?? -1) < sidecar.fencingEpoch) return undefined
    const disk = diskOf(sidecar)
    const info = await disks.image.disk(disk)
    if (!info) return undefined
    const hashes: Uint8Array[] = []
    let sizeBytes = 0
    for (let index = 0; index < info.sizeMiB; index++) {
      const chunk = await disks.image.readChunk(disk, index)
      hashes.push(chunkHash(chunk))
      sizeBytes += chunk.length
    }
    const made = { list: chunkList(hashes), sizeBytes, chunks: hashes.length, fencingEpoch: sidecar.fencingEpoch, disk }
    prepared.set(id, made)
    options.changed()
    return made
  }

  const push = async (order: Order, from: Prepared, content: BundleContent, over: AbortSignal): Promise<void> => {
    const { address } = content.node
    const connection = await transport.connect(address, order.toAddress as string, content.mesh.ports.sync, over)
    const { stream } = connection
    const broken = new AbortController()
    stream.on('error', () => {})
    stream.once('close', () => broken.abort(new Error('the receiver closed')))
    const ended = AbortSignal.any([over, broken.signal])
    const send = (frame: Parameters<typeof encodeSyncFrame>[0]) =>
      written(stream, lengthFrame(encodeSyncFrame(frame)), ended)
    try {
      const { list, sizeBytes, fencingEpoch } = from
      await send({ type: 'offer', offer: { archive: order.archive, fencingEpoch, root: list.root, sizeBytes } })
      for (let index = order.fromChunk ?? 0; index < from.chunks; index++) {
        const bytes = await disks.image.readChunk(from.disk, index)
        await send({ type: 'chunk', index, proof: list.proof(index), bytes: bytes.subarray(0, CHUNK_BYTES) })
      }
      await send({ type: 'end' })
      await new Promise<void>((resolve) => stream.end(resolve))
      // The receiver closes when it has taken everything.
      await clock.sleep(STANDING_MS, ended).catch(() => {})
    } finally {
      connection.destroy()
    }
  }

  const work = async (order: Order, over: AbortSignal): Promise<void> => {
    while (!over.aborted) {
      let waitMs = NOT_OURS_MS
      try {
        const content = options.content()
        const from = await prepare(order.archive)
        if (from) waitMs = AGAIN_MS
        const { toAddress } = order
        if (content && from && toAddress !== undefined) {
          const inTurn = turns.get(toAddress) ?? serialQueue()
          turns.set(toAddress, inTurn)
          await inTurn(async () => {
            if (!over.aborted) await push(order, from, content, over)
          })
        }
      } catch (error) {
        if (!over.aborted) log.info({ archive: order.archive, err: String(error) }, 'a push was cut')
      }
      await clock.sleep(waitMs, over).catch(() => {})
    }
  }

  return {
    converge() {
      const orders = new Map((options.content()?.pushes ?? []).map((order) => [JSON.stringify(order), order]))
      for (const [key, ending] of running) {
        if (orders.has(key)) continue
        ending.abort(new Error('no longer ordered'))
        running.delete(key)
      }
      const ordered = new Set([...orders.values()].map((order) => order.archive))
      for (const id of prepared.keys()) if (!ordered.has(id)) prepared.delete(id)
      for (const [key, order] of orders) {
        if (running.has(key) || signal.aborted) continue
        const ending = new AbortController()
        running.set(key, ending)
        void work(order, AbortSignal.any([signal, ending.signal]))
      }
    },
    root: (id) => prepared.get(id)?.list.root,
  }
}

/** Resolves when the stream has room for more; rejects when it is over. */
function written(stream: NodeJS.WritableStream, bytes: Uint8Array, over: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (over.aborted) return reject(over.reason)
    const onAbort = () => reject(over.reason)
    over.addEventListener('abort', onAbort, { once: true })
    stream.write(bytes, (error) => {
      over.removeEventListener('abort', onAbort)
      if (error) reject(error)
      else resolve()
    })
  })
}
