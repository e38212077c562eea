// The pairing port, TCP 9202 (DESIGN 7.4): reachable before a node is on the mesh, so everything that comes in is a
// stranger's until its code is confirmed.
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import type { RandomBytes } from '../../base/random.ts'
import type { Connection, Transport } from '../../base/transport.ts'
import type { Metrics } from '../metrics.ts'
import type { Desk } from './desk.ts'
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
  const sessions = new Set<{ end(why: SessionEnd): void }>()
  const refused = (reason: string) => metrics.count('ppn_pairing_refused_total', reason)

  const accept = (connection: Connection) => {
    const from = connection.remoteAddress.replace(/^::ffff:(?=\d+\.)/i, '')
    const source = sourceOf(from)
    let session: { end(why: SessionEnd): void } | undefined
    const place: Place = { source, evict: () => session?.end('TooSlow') }
    const refusal = gate.enter(place)
    if (refusal) {
      refused(refusal)
      return connection.destroy()
    }
    session = runSession({
      ...options,
      connection,
      from,
      mayGreet: () => gate.mayGreet(source),
      confirmed: () => gate.leave(place),
      ended(why) {
        gate.leave(place)
        if (session) sessions.delete(session)
        if (why !== undefined) refused(why)
        log.info({ from, ended: why ?? 'Approved' }, 'a pairing connection ended')
      },
    })
    sessions.add(session)
  }
  const listener = await options.transport.listen(options.address, options.port, accept)
  signal.addEventListener(
    'abort',
    () => {
      for (const session of [...sessions]) session.end('HungUp')
      void listener.close()
    },
    { once: true },
  )
  if (signal.aborted) await listener.close()
  log.info({ address: options.address, port: options.port }, 'machines may join here')
}
