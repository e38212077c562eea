// What a person reads from one screen and types into another: Crockford's base 32, which has no I, L, O or U.
import { PpnError } from '../../base/errors.ts'
import type { RandomBytes } from '../../base/random.ts'

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
/** Symbols of a code: 40 bits. */
export const CODE_SYMBOLS = 8
/** Symbols of a rendezvous: it selects a Pairing and keeps no secret. */
export const RENDEZVOUS_SYMBOLS = 4
const SCAN_SCHEME = 'PPN:'

/** 256 is a multiple of 32: the low five bits of a random byte are uniform. */
const symbols = (count: number, random: RandomBytes): string =>
  Array.from(random(count), (byte) => ALPHABET[byte & 31]).join('')

/** A fresh code as people see it, `XXXX-XXXX`. */
export function generateCode(random: RandomBytes): string {
  const text = symbols(CODE_SYMBOLS, random)
  return `${text.slice(0, 4)}-${text.slice(4)}`
}

export function generateRendezvous(random: RandomBytes): string {
  return symbols(RENDEZVOUS_SYMBOLS, random)
}

/** Crockford's rules for people: lower case, O for 0, I and L for 1; spaces and dashes anywhere. */
function canonical(typed: string, count: number): string | undefined {
  const text = typed
    .toUpperCase()
    .replace(/[\s\-‐‑‒–—_]/gu, '')
    .replace(/O/g, '0')
    .replace(/[IL]/g, '1')
  return text.length === count && [...text].every((symbol) => ALPHABET.includes(symbol)) ? text : undefined
}

/** `XXXX-XXXX` of whatever a person typed for it. Throws BadPairingCode. */
export function readCode(typed: string): string {
  const text = canonical(typed, CODE_SYMBOLS)
  if (text === undefined) throw new PpnError('BadPairingCode', { what: 'code', count: CODE_SYMBOLS })
  return `${text.slice(0, 4)}-${text.slice(4)}`
}

/** `XXXX` of whatever a person typed for it. Throws BadPairingCode. */
export function readRendezvous(typed: string): string {
  const text = canonical(typed, RENDEZVOUS_SYMBOLS)
  if (text === undefined) throw new PpnError('BadPairingCode', { what: 'rendezvous', count: RENDEZVOUS_SYMBOLS })
  return text
}

/** The password-related string of CPace: the eight symbols in ASCII, without the dash. */
export function passwordOf(code: string): Uint8Array {
  return new TextEncoder().encode(readCode(code).replace('-', ''))
}

/** What a QR code of `ppn join` holds; upper case, so that the symbol stays small. */
export const scanText = (secret: { rendezvous: string; code: string }): string =>
  `${SCAN_SCHEME}${secret.rendezvous}-${secret.code}`

/**
 * Rendezvous and code of a scanned text, typed or pasted, with or without its scheme; undefined when it is none: a
 * rendezvous alone, for instance.
 */
export function readScan(typed: string): { rendezvous: string; code: string } | undefined {
  const text = canonical(typed.trim().replace(/^ppn:/i, ''), RENDEZVOUS_SYMBOLS + CODE_SYMBOLS)
  if (text === undefined) return undefined
  return { rendezvous: text.slice(0, 4), code: `${text.slice(4, 8)}-${text.slice(8)}` }
}
