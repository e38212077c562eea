// What a qcow2 file may not ask for (QEMU, docs/interop/qcow2.txt). Judged from the header by ourselves: a tool that
// opens an image to describe it may already follow what the image names.

/** Bytes of the header that are judged. */
export const QCOW2_HEADER_BYTES = 104

const MAGIC = 0x514649fb
const INCOMPATIBLE = { corrupt: 2n, externalData: 4n } as const

/** Why this is no image we take, or undefined when nothing is wrong with it. */
export function qcow2Refusal(header: Uint8Array): string | undefined {
  const view = Buffer.from(header.buffer, header.byteOffset, header.byteLength)
  if (view.length < 72 || view.readUInt32BE(0) !== MAGIC) return 'is not a qcow2 image'
  const version = view.readUInt32BE(4)
  if (version !== 2 && version !== 3) return `is qcow2 of version ${version}`
  if (view.readBigUInt64BE(8) !== 0n) return 'has a backing file'
  if (view.readUInt32BE(32) !== 0) return 'is encrypted'
  if (version === 2) return undefined
  if (view.length < QCOW2_HEADER_BYTES) return 'has half a header'
  const features = view.readBigUInt64BE(72)
  if (features & INCOMPATIBLE.externalData) return 'has its data in another file'
  if (features & INCOMPATIBLE.corrupt) return 'is marked as corrupt'
  return undefined
}
