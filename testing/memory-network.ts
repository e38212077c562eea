// A whole network in memory: UDP and TCP between mesh addresses, on a clock, with faults a test writes down. The same
// seed and the same calls give the same packets.
import type { Clock } from '../base/clock.ts'
import { PpnError } from '../base/errors.ts'
import type { RandomBytes } from '../base/random.ts'
import type { Connection, Transport } from '../base/transport.ts'
import { type StreamEnd, streamPair, type Wire } from './memory-stream.ts'
import { seededRandom } from './seeded-random.ts'

/** What befalls traffic in one direction. Where several rules match, the newest decides alone. */
interface Rule {
  /** Absent: any. */
  from?: string
  to?: string
  protocol?: 'udp' | 'tcp'
  /** Destination port of a datagram; the listener's port of a connection. */
  port?: number
  /** Nothing passes: datagrams are lost, streams stand still until it is healed, connects time out. */
  cut?: boolean
  /** Share of datagrams lost, 0-1. Streams lose nothing, as TCP repeats. */
  loss?: number
  /** Share of datagrams that come twice. */
  duplicate?: number
  /** Share of datagrams held back by `reorderMs` (default 50), so that later ones overtake. */
  reorder?: number
  reorderMs?: number
  /** One way. Default 0: within the same instant, yet never within the caller's own turn. */
  delayMs?: number
  /** Added to the delay, up to this much. A stream stays in order. */
  jitterMs?: number
}

interface Datagram {
  /** Clock.now() of sending. */
  timeMs: number
  from: string
  to: string
  port: number
  bytes: Uint8Array
  /** How many copies the rules let through. */
  copies: number
}

/** Bytes that one end of a connection wrote; none for its end or reset. */
interface Segment {
  timeMs: number
  from: string
  to: string
  /** The listener's port, whoever wrote. */
  port: number
  bytes: Uint8Array
}

export interface MemoryNetwork {
  transport(): Transport
  rules: {
    /** Adds a rule; call the result to take it away again. */
    add(rule: Rule): () => void
    /** Cuts one direction; call the result to heal it. */
    cut(from?: string, to?: string): () => void
    /** Cuts both directions between two addresses. */
    part(a: string, b: string): () => void
    clear(): void
  }
  /** Every datagram sent, lost ones included, in order of sending. */
  datagrams: Datagram[]
  /** Everything written to connections, in order of writing. */
  segments: Segment[]
  /** The processes at this address end: sockets close, peers of its connections get ECONNRESET. It may bind again. */
  removeHost(address: string): void
}

const CONNECT_TIMEOUT_MS = 10_000
const REORDER_MS = 50
const systemError = (code: string, what: string) => Object.assign(new Error(`${what} ${code}`), { code })
const hostPort = (address: string, port: number) => `${address}:${port}`

interface Link {
  client: string
  server: string
  a: StreamEnd
  b: StreamEnd
}

export function memoryNetwork(clock: Clock, random: RandomBytes = seededRandom(1)): MemoryNetwork {
  const rules: Rule[] = []
  const onHeal = new Set<() => void>()
  const udp = new Map<string, (bytes: Uint8Array, from: string) => void>()
  const listeners = new Map<string, { accept(connection: Connection): void; links: Set<Link> }>()
  const links = new Set<Link>()
  const datagrams: Datagram[] = []
  const segments: Segment[] = []

  /** In [0, 1). */
  const dice = (): number => {
    const bytes = random(4)
    return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0) / 2 ** 32
  }
  const happens = (share: number | undefined): boolean => share !== undefined && share > 0 && dice() < share

  const ruleFor = (protocol: 'udp' | 'tcp', from: string, to: string, port: number): Rule =>
    rules.findLast(
      (rule) =>
        (rule.from ?? from) === from &&
        (rule.to ?? to) === to &&
        (rule.protocol ?? protocol) === protocol &&
        (rule.port ?? port) === port,
    ) ?? {}
  const delayOf = (rule: Rule): number => (rule.delayMs ?? 0) + (rule.jitterMs ? Math.floor(dice() * rule.jitterMs) : 0)
  const later = (ms: number, fn: () => void): void => {
    if (ms > 0) clock.after(ms, fn)
    else queueMicrotask(fn)
  }

  const sendDatagram = (from: string, to: string, port: number, payload: Uint8Array): void => {
    const bytes = new Uint8Array(payload)
    const rule = ruleFor('udp', from, to, port)
    const lost = rule.cut === true || happens(rule.loss)
    const copies = lost ? 0 : happens(rule.duplicate) ? 2 : 1
    datagrams.push({ timeMs: clock.now(), from, to, port, bytes, copies })
    for (let copy = 0; copy < copies; copy++) {
      const held = happens(rule.reorder) ? (rule.reorderMs ?? REORDER_MS) : 0
      later(delayOf(rule) + held, () => udp.get(hostPort(to, port))?.(new Uint8Array(bytes), from))
    }
  }

  /** One direction of a connection: a queue whose head moves on when its time has come and no cut holds it. */
  const wire = (from: string, to: string, port: number): Wire => {
    const queue: { dueMs: number; arrive: () => void }[] = []
    let moving = false
    const move = (): void => {
      const head = queue[0]
      if (!head || moving) return
      if (ruleFor('tcp', from, to, port).cut) return void onHeal.add(move)
      moving = true
      later(head.dueMs - clock.monotonic(), () => {
        moving = false
        if (ruleFor('tcp', from, to, port).cut) return void onHeal.add(move)
        queue.shift()
        head.arrive()
        move()
      })
    }
    return {
      carry(bytes, arrive) {
        if (bytes) segments.push({ timeMs: clock.now(), from, to, port, bytes })
        queue.push({ dueMs: clock.monotonic() + delayOf(ruleFor('tcp', from, to, port)), arrive })
        move()
      },
    }
  }

  const link = (client: string, server: string, port: number): Link => {
    const made: Link = { client, server, ...streamPair(wire(client, server, port), wire(server, client, port)) }
    links.add(made)
    let open = 2
    const closed = () => {
      if (--open === 0) links.delete(made)
    }
    made.a.once('close', closed)
    made.b.once('close', closed)
    return made
  }

  const transport: Transport = {
    async bindUdp(address, port, onPacket) {
      const key = hostPort(address, port)
      if (udp.has(key)) throw systemError('EADDRINUSE', 'bind')
      udp.set(key, onPacket)
      const bound = () => udp.get(key) === onPacket
      return {
        async send(bytes, to, toPort) {
          if (!bound()) throw systemError('ERR_SOCKET_DGRAM_NOT_RUNNING', 'send')
          sendDatagram(address, to, toPort, bytes)
        },
        close() {
          if (bound()) udp.delete(key)
        },
      }
    },

    async listen(address, port, onConnection) {
      const key = hostPort(address, port)
      if (listeners.has(key)) throw systemError('EADDRINUSE', 'listen')
      const listener = { accept: onConnection, links: new Set<Link>() }
      listeners.set(key, listener)
      return {
        async close() {
          if (listeners.get(key) === listener) listeners.delete(key)
          for (const one of listener.links) one.b.destroy()
        },
      }
    },

    connect: (from, to, port, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason)
        let settled = false
        const settle = (): boolean => {
          if (settled) return false
          settled = true
          timer.cancel()
          signal.removeEventListener('abort', onAbort)
          return true
        }
        const onAbort = () => settle() && reject(signal.reason)
        const timer = clock.after(
          CONNECT_TIMEOUT_MS,
          () => settle() && reject(new PpnError('ConnectTimedOut', { to, port, ms: CONNECT_TIMEOUT_MS })),
        )
        signal.addEventListener('abort', onAbort, { once: true })

        // SYN and its answer travel as segments without bytes do: held by a cut, late by a delay.
        wire(from, to, port).carry(undefined, () => {
          if (settled) return
          const listener = listeners.get(hostPort(to, port))
          const answer = wire(to, from, port)
          if (!listener)
            return answer.carry(undefined, () => settle() && reject(systemError('ECONNREFUSED', 'connect')))
          const made = link(from, to, port)
          listener.links.add(made)
          made.b.once('close', () => listener.links.delete(made))
          listener.accept({ stream: made.b, remoteAddress: from, destroy: () => void made.b.destroy() })
          answer.carry(undefined, () => {
            // Nobody waits for it any more: what was accepted is reset.
            if (!settle()) {
              made.a.break()
              made.b.break()
              return
            }
            resolve({ stream: made.a, remoteAddress: to, destroy: () => void made.a.destroy() })
          })
        })
      }),
  }

  const heal = (): void => {
    const waiting = [...onHeal]
    onHeal.clear()
    for (const go of waiting) go()
  }
  const add = (rule: Rule) => {
    rules.push(rule)
    return () => {
      const at = rules.indexOf(rule)
      if (at >= 0) rules.splice(at, 1)
      heal()
    }
  }

  return {
    transport: () => transport,
    rules: {
      add,
      cut: (from, to) => add({ from, to, cut: true }),
      part: (a, b) => {
        const heals = [add({ from: a, to: b, cut: true }), add({ from: b, to: a, cut: true })]
        return () => {
          for (const undo of heals) undo()
        }
      },
      clear() {
        rules.length = 0
        heal()
      },
    },
    datagrams,
    segments,
    removeHost(address) {
      for (const key of [...udp.keys()]) if (key.startsWith(`${address}:`)) udp.delete(key)
      for (const key of [...listeners.keys()]) if (key.startsWith(`${address}:`)) listeners.delete(key)
      for (const one of [...links]) {
        if (one.client !== address && one.server !== address) continue
        const [gone, left] = one.client === address ? [one.a, one.b] : [one.b, one.a]
        gone.break()
        left.hangUp()
      }
    },
  }
}
