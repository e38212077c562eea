// What every contestant computes for an archive: controller-runtime/command.go does the same in Go.
import { createHmac } from 'node:crypto'

const OP_WEIGHT = 0x06
/** Any key of this length: what it costs is the same. */
const KEY = Buffer.alloc(32, 'k')
const TAGGED_BYTES = 9
const TAG_BYTES = 7

export interface Told {
  /** Of the archive: the number its name ends with. */
  number: number
  generation: number
}

/**
 * 16 bytes laid out as in docs/protocol.md, but for bytes 1 and 2, which together number the archive, and the
 * sequence, which is the generation: the receiver tells by them what it was told.
 */
export function command(name: string, generation: number, weight: number): Buffer {
  const bytes = Buffer.alloc(TAGGED_BYTES + TAG_BYTES)
  bytes.writeUInt8(OP_WEIGHT, 0)
  bytes.writeUInt16BE(Number(name.slice(name.lastIndexOf('-') + 1)), 1)
  bytes.writeUInt16BE(weight, 3)
  bytes.writeUInt32BE(generation, 5)
  const mac = createHmac('sha256', KEY).update(bytes.subarray(0, TAGGED_BYTES)).digest()
  mac.copy(bytes, TAGGED_BYTES, 0, TAG_BYTES)
  return bytes
}

export const toldBy = (bytes: Buffer): Told => ({ number: bytes.readUInt16BE(1), generation: bytes.readUInt32BE(5) })

/** What every contestant writes, server-side apply or merge patch, once a generation. */
export function statusOf(generation: number, lastTransitionTime: string) {
  return {
    observedGeneration: generation,
    phase: 'Running' as const,
    conditions: [
      {
        type: 'Ready',
        status: 'True' as const,
        observedGeneration: generation,
        lastTransitionTime,
        reason: 'Told',
        message: 'the command was sent',
      },
    ],
  }
}
