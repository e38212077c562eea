// A process that can be killed inside a process. What a simulated agent is given passes through here; after `die` its
// sockets are closed, its timers never fire, and whatever it still awaits never comes, so that nothing it holds in
// memory has any further effect. What was durable stays.
import type { Clock, Timer } from '../../base/clock.ts'
import type { Connection, Transport } from '../../base/transport.ts'

export interface Life {
  readonly dead: boolean
  /** At once, without a goodbye. */
  die(): void
  /** Runs at death. Returns a function that takes it back. */
  atDeath(fn: () => void): () => void
  /** Settles as `promise` does while alive, and never after. */
  keep<T>(promise: Promise<T>): Promise<T>
}

export function beginLife(): Life {
  const last = new Set<() => void>()
  let dead = false
  return {
    get dead() {
      return dead
    },
    die: () => {
      dead = true
      for (const fn of [...last]) fn()
      last.clear()
    },
    atDeath: (fn) => {
      last.add(fn)
      return () => void last.delete(fn)
    },
    keep: (promise) =>
      new Promise((resolve, reject) => {
        promise.then(
          (value) => dead || resolve(value),
          (error) => dead || reject(error),
        )
      }),
  }
}

const NEVER = new Promise<never>(() => {})

/** Methods of drivers, `Files` and loggers that only give something and do nothing: a dead one may still call them. */
const HARMLESS = new Set<string | symbol>(['sub', 'child', 'unavailable'])
const SUBSCRIBING = new Set<string | symbol>(['subscribe', 'onChange'])

/**
 * An object whose methods work only while alive: promises they return are kept, subscriptions (a returned function)
 * end at death, objects returned are mortal as well. For drivers, `Files` and loggers.
 */
export function mortal<T extends object>(target: T, life: Life): T {
  return new Proxy(target, {
    get: (object, name) => {
      const member = Reflect.get(object, name)
      if (typeof member !== 'function') {
        return typeof member === 'object' && member !== null ? mortal(member, life) : member
      }
      return (...args: unknown[]) => {
        if (life.dead && SUBSCRIBING.has(name)) return () => {}
        if (life.dead && !HARMLESS.has(name)) return NEVER
        const result: unknown = member.apply(object, args)
        if (result instanceof Promise) return life.keep(result)
        if (typeof result === 'function') {
          life.atDeath(result as () => void)
          return result
        }
        return typeof result === 'object' && result !== null ? mortal(result, life) : result
      }
    },
  })
}

export function mortalClock(clock: Clock, life: Life): Clock {
  const after = (ms: number, fn: () => void): Timer => {
    if (life.dead) return { cancel: () => {} }
    const timer = clock.after(ms, () => {
      forget()
      fn()
    })
    const forget = life.atDeath(() => timer.cancel())
    return {
      cancel: () => {
        forget()
        timer.cancel()
      },
    }
  }
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    after,
    sleep: (ms, signal) => {
      if (life.dead) return NEVER
      const ended = new AbortController()
      const forget = life.atDeath(() => ended.abort())
      const slept = clock.sleep(ms, signal ? AbortSignal.any([signal, ended.signal]) : ended.signal)
      return life.keep(slept.finally(forget))
    },
  }
}

/** Sockets close at death; nothing arrives afterwards. */
export function mortalTransport(transport: Transport, life: Life): Transport {
  const own = (connection: Connection): Connection => {
    const forget = life.atDeath(() => connection.destroy())
    connection.stream.once('close', forget)
    return connection
  }
  return {
    bindUdp: async (address, port, onPacket) => {
      if (life.dead) return NEVER
      const socket = await transport.bindUdp(address, port, (bytes, from) => {
        if (!life.dead) onPacket(bytes, from)
      })
      if (life.dead) {
        socket.close()
        return NEVER
      }
      const forget = life.atDeath(() => socket.close())
      return {
        send: (bytes, to, toPort) => (life.dead ? NEVER : life.keep(socket.send(bytes, to, toPort))),
        close: () => {
          forget()
          socket.close()
        },
      }
    },
    listen: async (address, port, onConnection) => {
      if (life.dead) return NEVER
      const listener = await transport.listen(address, port, (connection) => {
        if (life.dead) connection.destroy()
        else onConnection(own(connection))
      })
      if (life.dead) {
        await listener.close()
        return NEVER
      }
      const forget = life.atDeath(() => void listener.close())
      return {
        close: () => {
          forget()
          return listener.close()
        },
      }
    },
    connect: async (from, to, port, signal) => {
      if (life.dead) return NEVER
      const connection = await transport.connect(from, to, port, signal)
      if (!life.dead) return own(connection)
      connection.destroy()
      return NEVER
    },
  }
}
