// What a test does on the wire, and reads off it.
import type { Fleet } from './harness.ts'

export const PORT = { command: 8090, telemetry: 8091, sync: 8092 } as const
/** Where the authority of these fleets speaks from: beside the hub. */
export const AUTHORITY = '10.8.0.1'

export type Sent = { to: string; op: number; slot: number }

/** Commands sent since the `mark`-th datagram, copies for the others not counted. */
export function commandsSince(fleet: Fleet, mark: number): Sent[] {
  return fleet.network.datagrams
    .slice(mark)
    .filter((d) => d.port === PORT.command && (d.bytes[1] === 255 || d.to.endsWith(`.${d.bytes[1]}`)))
    .map((d) => ({ to: d.to, op: d.bytes[0] as number, slot: d.bytes[2] as number }))
}

/** Bytes as if the authority had sent them: what a captured or forged packet looks like to an agent. */
export async function forge(fleet: Fleet, to: string, ...packets: Uint8Array[]): Promise<void> {
  const socket = await fleet.network.transport().bindUdp(AUTHORITY, 50_000, () => {})
  for (const bytes of packets) await socket.send(bytes, to, PORT.command)
  await fleet.clock.settle()
  socket.close()
}

export function addressOf(fleet: Fleet, node: string): string {
  const object = fleet.store.get('Node', node)
  const address = object && fleet.authority.allocator.addressOf(object.metadata.uid)
  if (!address) throw new Error(`${node} has no address`)
  return address
}

export const refusals = (fleet: Fleet, node: string): Record<string, number> =>
  fleet.nodes.get(node)?.report()?.refusals ?? {}
