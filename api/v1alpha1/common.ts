// Scalars of the vocabulary. Every pattern is common to RE2 (a cluster's) and JavaScript, and admits ASCII only where
// a length counts, so that a length is the same in code points and in UTF-16 units.
import { z } from 'zod'

/**
 * The same rule for the API server, in CEL: goes beside each `refine`, and from there into the CRD
 * (x-kubernetes-validations).
 */
export function cel(...pairs: string[]): { 'x-kubernetes-validations': { rule: string; message: string }[] } {
  const rules = []
  for (let i = 0; i + 1 < pairs.length; i += 2)
    rules.push({ rule: pairs[i] as string, message: pairs[i + 1] as string })
  return { 'x-kubernetes-validations': rules }
}

/** No two entries of the list are equal. */
export const NO_REPEATS = 'self.all(x, self.exists_one(y, x == y))'

/** DNS label (RFC 1123), at most 63 characters. */
export const DNS_LABEL_PATTERN = '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'

export const dnsLabel = z.string().min(1).max(63).regex(new RegExp(DNS_LABEL_PATTERN))

const OCTET = '(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])'

/** An IPv4 address in dotted form, no leading zeros. */
export const ipv4 = z
  .string()
  .min(7)
  .max(15)
  .regex(new RegExp(`^(${OCTET}\\.){3}${OCTET}$`))

/** An IPv4 network of at most 254 hosts: /24 to /30. That its host bits are zero is a rule of its own. */
export const meshCidr = z
  .string()
  .min(10)
  .max(18)
  .regex(new RegExp(`^(${OCTET}\\.){3}${OCTET}/(2[4-9]|30)$`))

/** host:port, the host a DNS name, an IPv4 address or a bracketed IPv6 address; as in wg(8). */
export const endpoint = z
  .string()
  .min(3)
  .max(261)
  .regex(/^([A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]):[1-9][0-9]{0,4}$/)

/** 32 bytes in standard base64: a WireGuard, X25519 or Ed25519 public key. */
export const publicKey = z
  .string()
  .length(44)
  .regex(/^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/)

/** Every memory value is a multiple of this (one unit of the BALLOON command). */
export const MEMORY_STEP_MIB = 16
/** The largest memory value. */
export const MEMORY_MAX_MIB = 1024 * 1024

const MULTIPLIER: Readonly<Record<string, number>> = {
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
export const QUANTITY_SUFFIXES = Object.keys(MULTIPLIER)

/** A Kubernetes quantity without fraction or exponent, and with the suffixes a memory of at most 1Ti can have. */
const QUANTITY_PATTERN = /^([0-9]{1,13})(Ki|Mi|Gi|Ti|k|M|G|T)?$/

/** Bytes of a memory quantity, or undefined when the text is none. */
export function quantityBytes(text: string): number | undefined {
  const m = QUANTITY_PATTERN.exec(text)
  if (!m) return undefined
  const bytes = Number(m[1]) * (MULTIPLIER[m[2] ?? ''] as number)
  return Number.isSafeInteger(bytes) ? bytes : undefined
}

/** A memory quantity: a multiple of 16Mi, from 16Mi to 1Ti. */
export const memoryQuantity = z
  .string()
  .min(1)
  .max(16)
  .regex(QUANTITY_PATTERN)
  .refine(
    (text) => {
      const bytes = quantityBytes(text)
      // Not a quantity at all is the pattern's complaint, not this one's.
      if (bytes === undefined) return !QUANTITY_PATTERN.test(text)
      const mib = bytes / 2 ** 20
      return mib % MEMORY_STEP_MIB === 0 && mib >= MEMORY_STEP_MIB && mib <= MEMORY_MAX_MIB
    },
    { error: 'must be a multiple of 16Mi, from 16Mi to 1Ti' },
  )
  .meta(
    cel(
      'quantity(self).isGreaterThan(quantity("15Mi")) && !quantity(self).isGreaterThan(quantity("1Ti")) && quantity(self).asInteger() % 16777216 == 0',
      'must be a multiple of 16Mi, from 16Mi to 1Ti',
    ),
  )

/** MiB of a memory quantity that the schema accepted. Throws a TypeError on any other text. */
export function quantityMiB(text: string): number {
  const bytes = quantityBytes(text)
  if (bytes === undefined) throw new TypeError(`not a memory quantity: ${text}`)
  return bytes / 2 ** 20
}
