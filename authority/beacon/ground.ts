// The local networks of this machine, and sending to all of one of them.
import dgram from 'node:dgram'
import os from 'node:os'

/** An IPv4 address of an interface, and the address that means everybody there. */
export interface Foothold {
  address: string
  broadcast: string
}

/** Of `address` and `netmask`, dotted: every host bit set (RFC 919). */
export function broadcastOf(address: string, netmask: string): string {
  const mask = netmask.split('.').map(Number)
  return address
    .split('.')
    .map((octet, i) => Number(octet) | (~(mask[i] as number) & 0xff))
    .join('.')
}

/** As they are now: addresses come and go. None for /31 and /32, where nobody else could hear. */
export function footholds(
  name: string,
  interfaces: ReturnType<typeof os.networkInterfaces> = os.networkInterfaces(),
): Foothold[] {
  return (interfaces[name] ?? [])
    .filter(({ family, netmask, internal }) => family === 'IPv4' && !internal && !/\.25[45]$/.test(netmask))
    .map(({ address, netmask }) => ({ address, broadcast: broadcastOf(address, netmask) }))
}

/** One datagram to everybody on that network, from an ephemeral port of `from.address`. */
export function broadcast(bytes: Uint8Array, from: Foothold, port: number): Promise<void> {
  const socket = dgram.createSocket('udp4')
  return new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.bind({ address: from.address, exclusive: true }, () => {
      socket.setBroadcast(true)
      socket.send(bytes, port, from.broadcast, (error) => (error ? reject(error) : resolve()))
    })
  }).finally(() => socket.close())
}
