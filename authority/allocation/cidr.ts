// Addresses of one mesh: a /24 or longer, so that the last octet alone tells nodes apart (it is the target byte).

export interface Cidr {
  /** The network address as a number. */
  base: number
  /** Addresses in it, the network's and the broadcast's included. */
  size: number
}

/** Dotted IPv4 as an unsigned number; undefined when the text is none. Leading zeros are refused: they mean octal elsewhere. */
export function parseIpv4(text: string): number | undefined {
  const octets = text.split('.')
  if (octets.length !== 4 || !octets.every((o) => /^(0|[1-9][0-9]{0,2})$/.test(o) && Number(o) <= 255)) return undefined
  return octets.reduce((sum, octet) => sum * 256 + Number(octet), 0)
}

export function formatIpv4(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.')
}

/** a.b.c.d/24 to /30, the host bits zero; undefined otherwise. */
export function parseCidr(text: string): Cidr | undefined {
  const [address = '', bits = '', ...rest] = text.split('/')
  const base = parseIpv4(address)
  if (base === undefined || rest.length > 0 || !/^(2[4-9]|30)$/.test(bits)) return undefined
  const size = 2 ** (32 - Number(bits))
  return base % size === 0 ? { base, size } : undefined
}

/** Network and broadcast addresses, and the octets 0 and 255, name no node. */
export function isHostAddress(cidr: Cidr, address: number): boolean {
  return address > cidr.base && address < cidr.base + cidr.size - 1
}

export function isInside(cidr: Cidr, address: number): boolean {
  return address >= cidr.base && address < cidr.base + cidr.size
}

/** Host addresses from the lowest. */
export function* hostAddresses(cidr: Cidr): Generator<number> {
  for (let address = cidr.base + 1; address < cidr.base + cidr.size - 1; address++) yield address
}
