// The string functions of draft-irtf-cfrg-cpace-21, section 5.1 and appendix A: what CPace hashes is prefix-free.
import { concat } from '../bytes.ts'

/** `data` behind its length as unsigned LEB128. */
export function prependLength(data: Uint8Array): Uint8Array {
  const length: number[] = []
  for (let rest = data.length; ; rest >>>= 7) {
    const last = rest < 0x80
    length.push(last ? rest : (rest & 0x7f) | 0x80)
    if (last) return concat(Uint8Array.from(length), data)
  }
}

/** lv_cat: every field behind its length. */
export function lvCat(...fields: Uint8Array[]): Uint8Array {
  return concat(...fields.map(prependLength))
}

/**
 * generator_string: the zero bytes fill the hash's first input block, so that the time it takes to hash what follows
 * tells nothing of the password's length.
 */
export function generatorString(options: {
  dsi: Uint8Array
  prs: Uint8Array
  ci: Uint8Array
  sid: Uint8Array
  /** Input block size of the hash, bytes. */
  blockBytes: number
}): Uint8Array {
  const { dsi, prs, ci, sid, blockBytes } = options
  const padding = Math.max(0, blockBytes - 1 - prependLength(prs).length - prependLength(dsi).length)
  return lvCat(dsi, prs, new Uint8Array(padding), ci, sid)
}

/** transcript_ir: the initiator's share and associated data before the responder's. */
export function transcriptIr(ya: Uint8Array, adA: Uint8Array, yb: Uint8Array, adB: Uint8Array): Uint8Array {
  return concat(lvCat(ya, adA), lvCat(yb, adB))
}
