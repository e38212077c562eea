// IPv4 networks, as far as a mesh needs them.

/** The last octet of an address is the command's target byte, so a mesh has at most one /24. */
const SHORTEST_PREFIX = 24
/** A /31 and /32 hold no host beside network and broadcast address. */
const LONGEST_PREFIX = 30

export interface Cidr {
  base: number
  prefix: number
}

export type CidrResult = { ok: true; cidr: Cidr } | { ok: false; message: string }

function addressNumber(address: string): number | undefined {
  const octets = address.split('.')
  if (octets.length !== 4 || !octets.every((octet) => /^(0|[1-9][0-9]{0,2})$/.test(octet) && Number(octet) <= 255))
    return undefined
  return octets.reduce((sum, octet) => sum * 256 + Number(octet), 0)
}

const sizeOf = (prefix: number): number => 2 ** (32 - prefix)

/** `10.8.0.0/24`: an aligned network, /24 to /30. */
export function parseCidr(text: string): CidrResult {
  const [address, bits, ...rest] = text.split('/')
  const base = addressNumber(address ?? '')
  const prefix = bits !== undefined && /^[0-9]{1,2}$/.test(bits) ? Number(bits) : undefined
  if (base === undefined || prefix === undefined || prefix > 32 || rest.length > 0)
    return { ok: false, message: `${text} is not an IPv4 network such as 10.8.0.0/24` }
  if (prefix < SHORTEST_PREFIX || prefix > LONGEST_PREFIX)
    return { ok: false, message: `${text}: a mesh is a /24 to /30, for the last octet is a command’s target` }
  if (base % sizeOf(prefix) !== 0) return { ok: false, message: `${text} has host bits set` }
  return { ok: true, cidr: { base, prefix } }
}

/** Whether `address` lies in the network. */
export function contains({ base, prefix }: Cidr, address: string): boolean {
  const number = addressNumber(address)
  return number !== undefined && number >= base && number < base + sizeOf(prefix)
}
