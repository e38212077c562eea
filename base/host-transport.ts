import type { Clock } from './clock.ts'
import { socketTransport } from './socket-transport.ts'
import type { Transport } from './transport.ts'

/** The network of a real node: mesh addresses are addresses of the WireGuard interface, used as they are. */
export function hostTransport(clock?: Clock): Transport {
  return socketTransport({ toHost: (address) => address, toMesh: (address) => address }, clock)
}
