import type { Revision } from './ids.ts'

const SPAN = 0x1_0000
const HALF = SPAN / 2
const MAX = 0xffff_ffff

/**
 * The revision with these low 16 bits that lies nearest `near` (serial number arithmetic, RFC 1982). Exactly half
 * way, which the RFC leaves open, it is the lower one: an APPLY never reaches further than was told. Always a u32.
 */
export function expandRevision(low16: number, near: Revision): Revision {
  const ahead = (low16 - (near % SPAN) + SPAN) % SPAN
  const nearest = near + (ahead < HALF ? ahead : ahead - SPAN)
  if (nearest < 0) return nearest + SPAN
  return nearest > MAX ? nearest - SPAN : nearest
}
