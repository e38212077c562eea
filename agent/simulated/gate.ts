// The mesh of a simulated machine. On a real one the kernel routes mesh addresses through WireGuard; here all traffic
// runs over the loopback, and the gate lets pass what WireGuard would: to and from an address that a peer with a live
// session covers, and to the machine itself. So an isolated, severed or misdirected node is one for real.
import type { Clock } from '../../base/clock.ts'
import { PpnError } from '../../base/errors.ts'
import type { Connection, Transport } from '../../base/transport.ts'
import type { MeshRoutes } from '../drivers/wireguard/simulated.ts'

/** What the gate did not let pass, counted since it stands. */
export interface GateCounts {
  udpIn: number
  udpOut: number
  tcpIn: number
  /** Dialling that found no route at first. */
  tcpOut: number
  /** Connections that ended because their route did. */
  broken: number
}

export interface GatedTransport extends Transport {
  counts(): GateCounts
  /** A firewall rule of this machine: nothing leaves for this TCP port, not even to itself. */
  block(port: number, on: boolean): void
}

/** As `Transport.connect` promises. */
const CONNECT_TIMEOUT_MS = 10_000

interface Flow {
  own: string
  other: string
  /** The port dialled; undefined for a connection that came in. */
  dialled?: number
}

/**
 * `transport` behind the gate. Datagrams without a route vanish; a connection that comes in without one is closed
 * unseen; dialling waits for a route, as SYNs are repeated, and gives up with ConnectTimedOut after 10 s; a
 * connection whose route dies is destroyed.
 */
export function gatedTransport(transport: Transport, routes: MeshRoutes, { clock }: { clock: Clock }): GatedTransport {
  const counts: GateCounts = { udpIn: 0, udpOut: 0, tcpIn: 0, tcpOut: 0, broken: 0 }
  const blocked = new Set<number>()
  const open = new Map<Connection, Flow>()
  const waiting = new Set<() => void>()

  const passes = ({ own, other, dialled }: Flow) =>
    (own === other || routes.live(other)) && !(dialled !== undefined && blocked.has(dialled))

  const judge = () => {
    for (const [connection, flow] of [...open]) {
      if (passes(flow)) continue
      counts.broken++
      open.delete(connection)
      connection.destroy()
    }
    for (const retry of [...waiting]) retry()
  }
  routes.onChange(judge)

  const watch = (connection: Connection, flow: Flow): Connection => {
    open.set(connection, flow)
    connection.stream.once('close', () => open.delete(connection))
    return connection
  }

  /** Resolves when the flow may pass. */
  const route = (flow: Flow, port: number, signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason)
      const settle = () => {
        timer.cancel()
        waiting.delete(retry)
        signal.removeEventListener('abort', onAbort)
      }
      const retry = () => {
        if (!passes(flow)) return
        settle()
        resolve()
      }
      const onAbort = () => {
        settle()
        reject(signal.reason)
      }
      const timer = clock.after(CONNECT_TIMEOUT_MS, () => {
        settle()
        reject(new PpnError('ConnectTimedOut', { to: flow.other, port, ms: CONNECT_TIMEOUT_MS }))
      })
      waiting.add(retry)
      signal.addEventListener('abort', onAbort, { once: true })
    })

  return {
    bindUdp: async (address, port, onPacket) => {
      const socket = await transport.bindUdp(address, port, (bytes, from) => {
        if (!passes({ own: address, other: from })) return void counts.udpIn++
        routes.count(from, bytes.length, 0)
        onPacket(bytes, from)
      })
      return {
        send: async (bytes, to, toPort) => {
          if (!passes({ own: address, other: to })) return void counts.udpOut++
          routes.count(to, 0, bytes.length)
          await socket.send(bytes, to, toPort)
        },
        close: () => socket.close(),
      }
    },
    listen: (address, port, onConnection) =>
      transport.listen(address, port, (connection) => {
        const flow = { own: address, other: connection.remoteAddress }
        if (passes(flow)) return onConnection(watch(connection, flow))
        counts.tcpIn++
        connection.destroy()
      }),
    connect: async (from, to, port, signal) => {
      const flow = { own: from, other: to, dialled: port }
      if (!passes(flow)) {
        counts.tcpOut++
        await route(flow, port, signal)
      }
      const connection = await transport.connect(from, to, port, signal)
      watch(connection, flow)
      // The route may have died while the other end was answering.
      if (!passes(flow)) judge()
      return connection
    },
    counts: () => ({ ...counts }),
    block: (port, on) => {
      if (on) blocked.add(port)
      else blocked.delete(port)
      judge()
    },
  }
}
