import type { Clock } from './clock.ts'
import { PpnError } from './errors.ts'
import { socketTransport } from './socket-transport.ts'
import type { Transport } from './transport.ts'

export interface LoopbackOptions {
  /** First octet of every mesh address, which the loopback has no room for. Default 10. */
  firstOctet?: number
  clock?: Clock
}

/**
 * A fleet on one machine: mesh address a.b.c.d is 127.b.c.d here, with the real ports, so that several processes
 * play several nodes. Linux alone answers on all of 127.0.0.0/8 unasked: LoopbackNeedsLinux elsewhere. An address
 * with another first octet than the one given is refused with AddressOutsideMesh.
 */
export function loopbackTransport(options: LoopbackOptions = {}): Transport {
  if (process.platform !== 'linux') throw new PpnError('LoopbackNeedsLinux')
  const firstOctet = options.firstOctet ?? 10
  const replaceFirst = (address: string, from: number, to: number): string => {
    // Once for every datagram either way: no arrays.
    const dot = address.indexOf('.')
    if (address.slice(0, dot) !== String(from)) throw new PpnError('AddressOutsideMesh', { address, firstOctet: from })
    return to + address.slice(dot)
  }
  return socketTransport(
    {
      toHost: (address) => replaceFirst(address, firstOctet, 127),
      toMesh: (address) => replaceFirst(address, 127, firstOctet),
    },
    options.clock,
  )
}
