// From the key of CPace to the keys of one ceremony. HKDF-SHA-256 (RFC 5869), salted with the run's public name, one
// label a use: no key serves twice.
import { createHash, createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'
import { concat, lp } from '../bytes.ts'

export interface CeremonyKeys {
  /** Tags of key confirmation, 32 bytes each. */
  confirmInitiator: Uint8Array
  confirmResponder: Uint8Array
  /** AES-256-GCM, one a direction. */
  sealInitiator: Uint8Array
  sealResponder: Uint8Array
  /** Of the short authentication string. */
  sas: Uint8Array
}

const LABELS: Record<keyof CeremonyKeys, string> = {
  confirmInitiator: 'ppn-pair/1 confirm initiator',
  confirmResponder: 'ppn-pair/1 confirm responder',
  sealInitiator: 'ppn-pair/1 seal initiator',
  sealResponder: 'ppn-pair/1 seal responder',
  sas: 'ppn-pair/1 sas',
}

/** `isk`: 64 bytes, wiped here. `run`: the 64 public bytes that name the run (CPace's sid_output). */
export function ceremonyKeys(isk: Uint8Array, run: Uint8Array): CeremonyKeys {
  const derive = (label: string) => new Uint8Array(hkdfSync('sha256', isk, run, label, 32))
  const keys = Object.fromEntries(Object.entries(LABELS).map(([use, label]) => [use, derive(label)]))
  isk.fill(0)
  return keys as unknown as CeremonyKeys
}

export function wipeKeys(keys: CeremonyKeys): void {
  for (const key of Object.values(keys) as Uint8Array[]) key.fill(0)
}

/** HMAC-SHA-256 over length-prefixed fields. */
export function tag(key: Uint8Array, ...fields: Uint8Array[]): Uint8Array {
  return new Uint8Array(
    createHmac('sha256', key)
      .update(concat(...fields.map(lp)))
      .digest(),
  )
}

/** Takes the same time wherever the first difference is. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}

/** What the initiator is bound to before it sees the responder's nonce: 32 bytes. */
export function commitmentTo(nonce: Uint8Array): Uint8Array {
  return new Uint8Array(
    createHash('sha256')
      .update(concat(lp('ppn-pair-commit/1'), lp(nonce)))
      .digest(),
  )
}

/**
 * The six digits both screens show. Neither side can steer them: the initiator's nonce is committed before it sees the
 * responder's, which is chosen before the commitment is opened; so a man in the middle who knows the code has two
 * sessions whose digits agree once in a million, however much it computes.
 */
export function shortAuthenticationString(key: Uint8Array, initiator: Uint8Array, responder: Uint8Array): string {
  const digest = tag(key, initiator, responder)
  // 64 bits modulo a million: the bias is below 2^-44.
  const number = new DataView(digest.buffer).getBigUint64(0) % 1_000_000n
  return number.toString().padStart(6, '0')
}
