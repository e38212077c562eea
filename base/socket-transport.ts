import dgram from 'node:dgram'
import net from 'node:net'
import { type Clock, systemClock } from './clock.ts'
import { PpnError } from './errors.ts'
import type { Connection, Transport } from './transport.ts'

/** How mesh addresses and this machine's addresses correspond. */
export interface AddressMap {
  toHost(meshAddress: string): string
  toMesh(hostAddress: string): string
}

const CONNECT_TIMEOUT_MS = 10_000
/** Asked of the kernel, which caps it at net.core.rmem_max and wmem_max: room for a burst of a whole fleet. */
const UDP_BUFFER_BYTES = 4 * 1024 * 1024

function connectionOf(socket: net.Socket, remoteAddress: string): Connection {
  // A reset peer must not end the process: `close` follows every error, and that is what users act on.
  socket.on('error', () => {})
  return { stream: socket, remoteAddress, destroy: () => void socket.destroy() }
}

/** `Transport` over the sockets of node:net and node:dgram. Every stream is half-open capable, without Nagle's delay. */
export function socketTransport(addresses: AddressMap, clock: Clock = systemClock()): Transport {
  return {
    async bindUdp(address, port, onPacket) {
      const socket = dgram.createSocket('udp4')
      socket.on('message', (bytes, from) =>
        onPacket(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength), addresses.toMesh(from.address)),
      )
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject)
        socket.bind({ address: addresses.toHost(address), port, exclusive: true }, () => {
          socket.off('error', reject)
          resolve()
        })
      })
      // A failed receive concerns one datagram; a failed send rejects its own promise.
      socket.on('error', () => {})
      socket.setRecvBufferSize(UDP_BUFFER_BYTES)
      socket.setSendBufferSize(UDP_BUFFER_BYTES)
      let open = true
      return {
        send: (bytes, to, toPort) =>
          new Promise((resolve, reject) => {
            socket.send(bytes, toPort, addresses.toHost(to), (error) => (error ? reject(error) : resolve()))
          }),
        close() {
          if (open) socket.close()
          open = false
        },
      }
    },

    async listen(address, port, onConnection) {
      const accepted = new Set<net.Socket>()
      const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
        // Undefined when the peer has gone between its SYN and now.
        if (socket.remoteAddress === undefined) return void socket.destroy()
        accepted.add(socket)
        socket.once('close', () => accepted.delete(socket))
        onConnection(connectionOf(socket, addresses.toMesh(socket.remoteAddress)))
      })
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen({ host: addresses.toHost(address), port, exclusive: true }, () => {
          server.off('error', reject)
          resolve()
        })
      })
      // Running out of file descriptors refuses one connection, not the service.
      server.on('error', () => {})
      return {
        close: () =>
          new Promise((resolve) => {
            server.close(() => resolve())
            for (const socket of accepted) socket.destroy()
          }),
      }
    },

    connect: (from, to, port, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason)
        const socket = net.connect({
          host: addresses.toHost(to),
          port,
          localAddress: addresses.toHost(from),
          allowHalfOpen: true,
          noDelay: true,
        })
        const settle = () => {
          timer.cancel()
          signal.removeEventListener('abort', onAbort)
          socket.off('error', fail)
          socket.off('connect', succeed)
        }
        const fail = (error: unknown) => {
          settle()
          socket.on('error', () => {})
          socket.destroy()
          reject(error)
        }
        const succeed = () => {
          settle()
          resolve(connectionOf(socket, to))
        }
        const onAbort = () => fail(signal.reason)
        const timer = clock.after(CONNECT_TIMEOUT_MS, () =>
          fail(new PpnError('ConnectTimedOut', { to, port, ms: CONNECT_TIMEOUT_MS })),
        )
        signal.addEventListener('abort', onAbort, { once: true })
        socket.once('error', fail)
        socket.once('connect', succeed)
      }),
  }
}
