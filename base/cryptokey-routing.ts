// Cryptokey routing: which peer an address belongs to, as WireGuard chooses (its paper, section 2).

/** The most specific peer whose allowedIPs cover `address`; undefined when none does. */
export function peerFor<P extends { allowedIPs: readonly string[] }>(
  peers: Iterable<P>,
  address: string,
): P | undefined {
  const wanted = bits(address)
  let best: { peer: P; length: number } | undefined
  for (const peer of peers) {
    for (const cidr of peer.allowedIPs) {
      const [base = '', prefix = '32'] = cidr.split('/')
      const length = Number(prefix)
      // A shift by 32 is a shift by 0 in JavaScript, so /0 is its own case.
      const covers = length === 0 || (bits(base) ^ wanted) >>> (32 - length) === 0
      if (covers && (!best || length > best.length)) best = { peer, length }
    }
  }
  return best?.peer
}

function bits(address: string): number {
  return address.split('.').reduce((sum, octet) => ((sum << 8) | Number(octet)) >>> 0, 0)
}
