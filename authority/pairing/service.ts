// The pairing port, TCP 9202 (DESIGN 7.4): reachable before a node is on the mesh, so everything that comes in is a
// stranger's until its code is confirmed.
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import type { RandomBytes } from '../../base/random.ts'
import type { Connection, Transport } from '../../base/transport.ts'
import type { Metrics } from '../metrics.ts'
import type { Desk } from './desk.ts'
import { firstWord } from './first-word.ts'
import { createGate, type Place, sourceOf } from './gate.ts'
import { runSession, type SessionEnd } from './session.ts'

export interface PairingServiceOptions {
  transport: Transport
  /** Where to listen; `::` is every address of this machine. */
  address: string
  port: number
  clock: Clock
  random: RandomBytes
  log: Logger
  metrics: Metrics
  desk: Desk
  authorityFingerprint: string
  firstBundle(nodeName: string, signal: AbortSignal): Promise<string>
}

/** Listens until `signal` aborts. Rejects when the port cannot be had. */
export async function startPairingService(options: PairingServiceOptions, signal: AbortSignal): Promise<void> {
  const { clock, log, metrics } = options
  const gate = createGate(clock)
  const open = new Set<{ end(why: 'HungUp'): void }>()
  const refused = (reason: string) => metrics.count('ppn_pairing_refused_total', reason)

  const accept = (connection: Connection) => {
    const from = connection.remoteAddress.replace(/^::ffff:(?=\d+\.)/i, '')
    /** Whatever the connection is in the hands of. */
    let holder: { end(why: 'TooSlow' | 'HungUp'): void } | undefined
    const place: Place = { source: sourceOf(from), evict: () => holder?.end('TooSlow') }
    const refusal = gate.enter(place)
    if (refusal) {
      refused(refusal)
      return connection.destroy()
    }
    const hold = (next: typeof holder) => {
      if (holder) open.delete(holder)
      holder = next
      if (holder) open.add(holder)
    }
    const ended = (why: SessionEnd | undefined, known: boolean) => {
      over = true
      gate.leave(place)
      hold(undefined)
      if (why !== undefined) refused(why)
      // A stranger can come a thousand times a second, and is to be counted, not written down.
      log[known ? 'info' : 'debug']({ from, ended: why ?? 'Approved' }, 'a pairing connection ended')
    }
    let over = false
    const spoke = (first: Uint8Array) => {
      const session = runSession({
        ...options,
        ...{ connection, from, first, ended },
        mayGreet: (known) => gate.greet(place, known ? 'openCeremony' : 'nothing') === undefined,
        confirmed: () => gate.leave(place),
      })
      if (!over) hold(session)
    }
    hold(firstWord(connection, clock, { spoke, ended: (why) => ended(why, false) }))
  }
  const listener = await options.transport.listen(options.address, options.port, accept)
  signal.addEventListener(
    'abort',
    () => {
      for (const one of [...open]) one.end('HungUp')
      void listener.close()
    },
    { once: true },
  )
  if (signal.aborted) await listener.close()
  log.info({ address: options.address, port: options.port }, 'machines may join here')
}
