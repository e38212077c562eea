// The network of an authority that may be deposed: nothing leaves unless it leads at that very moment. The brake is asked
// further up, where a refusal can be explained; this is the last line, behind which there is only the kernel.
import type { Duplex } from 'node:stream'
import { PpnError } from '../../base/errors.ts'
import type { Connection, Transport } from '../../base/transport.ts'

/** `holds` is asked before every datagram, every dial and every byte written to a connection. Listening is free. */
export function gatedTransport(transport: Transport, holds: () => boolean): Transport {
  const check = (): void => {
    if (!holds()) throw new PpnError('NotLeading')
  }
  return {
    async bindUdp(address, port, onPacket) {
      const socket = await transport.bindUdp(address, port, onPacket)
      return {
        async send(bytes, to, toPort) {
          check()
          await socket.send(bytes, to, toPort)
        },
        close: () => socket.close(),
      }
    },
    listen: (address, port, onConnection) =>
      transport.listen(address, port, (connection) => onConnection(gateWrites(connection, holds))),
    async connect(from, to, port, signal) {
      check()
      const connection = await transport.connect(from, to, port, signal)
      return gateWrites(connection, holds)
    },
  }
}

/** A write of a deposed leader ends the connection: half a frame is no frame. An end without bytes says nothing. */
function gateWrites(connection: Connection, holds: () => boolean): Connection {
  const { stream } = connection
  const write = stream.write.bind(stream) as (...given: unknown[]) => boolean
  const end = stream.end.bind(stream) as (...given: unknown[]) => Duplex
  stream.write = ((...given: unknown[]) => {
    if (holds()) return write(...given)
    connection.destroy()
    return false
  }) as Duplex['write']
  stream.end = ((...given: unknown[]) => {
    if (given.length === 0 || holds()) return end(...given)
    connection.destroy()
    return stream
  }) as Duplex['end']
  return connection
}
