import { z } from 'zod'

/** DNS label (RFC 1123), at most 63 characters. The pattern is common to RE2 and JavaScript. */
export const dnsLabel = z
  .string()
  .min(1)
  .max(63)
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/)

/** An IPv4 address in dotted form, no leading zeros. */
export const ipv4 = z
  .string()
  .max(15)
  .regex(/^((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\.){3}(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])$/)

/** 32 bytes in standard base64: a WireGuard, X25519 or Ed25519 public key. */
export const publicKey = z
  .string()
  .length(44)
  .regex(/^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/)

/** A Kubernetes quantity; which suffixes and steps are allowed is a rule of each field. */
export const memoryQuantity = z
  .string()
  .min(1)
  .max(32)
  .regex(/^[0-9]+(\.[0-9]{1,9})?(Ki|Mi|Gi|Ti|k|M|G|T)?$/)

const MULTIPLIER: Record<string, number> = {
  '': 1,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
}

/** Bytes of a memory quantity, or undefined when the text is none. */
export function quantityBytes(text: string): number | undefined {
  const m = /^([0-9]+(?:\.[0-9]{1,9})?)(Ki|Mi|Gi|Ti|k|M|G|T)?$/.exec(text)
  if (!m) return undefined
  const bytes = Number(m[1]) * (MULTIPLIER[m[2] ?? ''] as number)
  return Number.isSafeInteger(bytes) ? bytes : undefined
}

/** MiB of a memory quantity that the schema accepted (a multiple of 16Mi, at most 1Ti). */
export function quantityMiB(text: string): number {
  const bytes = quantityBytes(text)
  if (bytes === undefined) throw new TypeError(`not a memory quantity: ${text}`)
  return bytes / 2 ** 20
}
