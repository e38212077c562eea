// What agents ask of their machines to change, by driver and method. Looking is not counted, nor is what found nothing
// to change.
import type { Drivers } from '../../agent/drivers/host.ts'

export interface DriverCall {
  node: string
  /** `cgroup.setWeight`. */
  call: string
  /** Its last argument that is no object. */
  value: unknown
  /** Clock.monotonic(), as performance.now(). */
  atMs: number
}

const CHANGING = {
  vm: ['start', 'stop', 'cut', 'pause', 'resume', 'setMemoryTarget'],
  cgroup: ['setWeight', 'enter'],
  image: ['create', 'destroy', 'writeChunk'],
  wireguard: ['remove'],
} as const satisfies Partial<Record<keyof Drivers, readonly string[]>>

/** The same drivers; every change asked for is told to `saw`. */
export function countedDrivers(drivers: Drivers, node: string, saw: (call: DriverCall) => void): Drivers {
  const tell = (call: string, args: readonly unknown[]) =>
    saw({ node, call, value: args.findLast((arg) => typeof arg !== 'object'), atMs: performance.now() })
  const watched = <T extends object>(room: keyof typeof CHANGING, driver: T): T =>
    new Proxy(driver, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name)
        if (typeof member !== 'function') return member
        return (...args: unknown[]) => {
          if ((CHANGING[room] as readonly (string | symbol)[]).includes(name)) tell(`${room}.${String(name)}`, args)
          return member.apply(target, args)
        }
      },
    })
  let reserved: number | undefined
  const cgroup = {
    ...drivers.cgroup,
    // The simulated machine has no share of its own to set: what a real one would be asked.
    async reserve(weight: number) {
      if (weight !== reserved) tell('cgroup.reserve', [weight])
      reserved = weight
    },
  }
  const wireguard = {
    ...drivers.wireguard,
    async apply(...args: Parameters<Drivers['wireguard']['apply']>) {
      const result = await drivers.wireguard.apply(...args)
      if (result.changed) tell('wireguard.apply', [])
      return result
    },
  }
  return {
    host: drivers.host,
    vm: watched('vm', drivers.vm),
    image: watched('image', drivers.image),
    cgroup: watched('cgroup', cgroup),
    wireguard: watched('wireguard', wireguard),
  }
}
