// Says on chosen local networks where a machine without a fleet may call (DESIGN 7.5). Off unless asked for: whoever
// hears it learns that an authority is here, and which.
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import { BEACON_PORT, encodeBeacon } from '../../protocol/beacon.ts'
import type { Foothold } from './ground.ts'

/** A machine listens for 30 s: it hears several, also when some are lost. */
export const BEACON_EVERY_MS = 5_000

export interface BeaconOptions {
  clock: Clock
  log: Logger
  /** Names of interfaces. */
  interfaces: readonly string[]
  /** Of the ceremony; undefined while nobody can join. */
  pairingPort(): number | undefined
  signingPublicKey: Uint8Array
  /** May anything go out now? The brake. */
  guard(): Promise<boolean>
  footholds(name: string): Foothold[]
  broadcast(bytes: Uint8Array, from: Foothold, port: number): Promise<void>
}

/** Sends until the signal aborts. A network that cannot be sent to is named once, and tried again. */
export async function sendBeacons(options: BeaconOptions, signal: AbortSignal): Promise<void> {
  const { clock, log, interfaces } = options
  const silent = new Map<string, string>()
  const note = (name: string, why: string | undefined) => {
    if (silent.get(name) === why) return
    if (why === undefined) silent.delete(name)
    else silent.set(name, why)
    if (why === undefined) log.info({ interface: name }, 'beacons go out')
    else log.warn({ interface: name, why }, 'no beacon goes out here')
  }
  const sendOn = async (name: string, bytes: Uint8Array) => {
    const places = options.footholds(name)
    if (places.length === 0) return note(name, 'no such interface, or no IPv4 network on it')
    try {
      for (const place of places) await options.broadcast(bytes, place, BEACON_PORT)
      note(name, undefined)
    } catch (error) {
      note(name, (error as Error).message)
    }
  }
  while (!signal.aborted) {
    const port = options.pairingPort()
    if (port !== undefined && (await options.guard())) {
      const bytes = encodeBeacon(port, options.signingPublicKey)
      for (const name of interfaces) await sendOn(name, bytes)
    }
    await clock.sleep(BEACON_EVERY_MS, signal).catch(() => {})
  }
}
