// What the benchmark sees of an authority's traffic: a transport and a folder that count and pass everything on.
import path from 'node:path'
import type { Transport } from '../../base/transport.ts'
import { opName } from '../../protocol/command/ops.ts'
import type { FolderFs } from '../../stores/files/fs.ts'
import type { WatchFolder } from '../../stores/files/watch.ts'
import { monotonicMs } from './monotonic.ts'

export interface Counts {
  /** Packets to the node they address, by op. */
  addressed: Record<string, number>
  /** Packets to all others. */
  copies: number
  bundles: number
  /** Files read, relative to the folder. */
  read: string[]
  /** monotonicMs of the first hint of a change, of packets taken by the kernel. */
  hintMs?: number
  firstAddressedMs?: number
  lastAddressedMs?: number
  lastCopyMs?: number
}

export interface Probe {
  counts(): Counts
  reset(): void
  transport(inner: Transport): Transport
  fs(inner: FolderFs, root: string): FolderFs
  watch(inner: WatchFolder): WatchFolder
}

const TARGET_ALL = 255
const none = (): Counts => ({ addressed: {}, copies: 0, bundles: 0, read: [] })

export function probe(syncPort: number): Probe {
  let counts = none()
  const sent = (bytes: Uint8Array, address: string) => {
    const now = monotonicMs()
    const target = bytes[1] as number
    if (target !== TARGET_ALL && !address.endsWith(`.${target}`)) {
      counts.copies++
      counts.lastCopyMs = now
      return
    }
    const op = String(opName(bytes[0] as number))
    counts.addressed[op] = (counts.addressed[op] ?? 0) + 1
    counts.firstAddressedMs ??= now
    counts.lastAddressedMs = now
  }
  return {
    counts: () => counts,
    reset() {
      counts = none()
    },
    transport: (inner) => ({
      ...inner,
      async bindUdp(...args) {
        const socket = await inner.bindUdp(...args)
        return {
          ...socket,
          async send(bytes, address, port) {
            await socket.send(bytes, address, port)
            sent(bytes, address)
          },
        }
      },
      connect(from, to, port, signal) {
        if (port === syncPort) counts.bundles++
        return inner.connect(from, to, port, signal)
      },
    }),
    fs: (inner, root) => ({
      ...inner,
      read(file, limit) {
        counts.read.push(path.relative(root, file))
        return inner.read(file, limit)
      },
    }),
    watch: (inner) => (root, onHint, onError) =>
      inner(
        root,
        () => {
          counts.hintMs ??= monotonicMs()
          onHint()
        },
        onError,
      ),
  }
}
