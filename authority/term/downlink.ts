// Everything between this authority and its agents but the bundles, put together: a reign, the sender, the sink, and
// the PINGs that join them. What `authority/main` starts.
import type { Fleet } from '../../controllers/ports/fleet.ts'
import type { RecordStore } from '../../controllers/ports/store.ts'
import { OP } from '../../protocol/command/ops.ts'
import { type CommandSender, type CommandSenderOptions, startCommandSender } from '../commands/sender.ts'
import { startTelemetrySink, type TelemetrySinkOptions } from '../telemetry/sink.ts'
import { firstPings } from './first-pings.ts'
import { lastConnected, rememberConnected } from './last-connected.ts'
import { nodeKeyRing } from './node-keys.ts'
import { openReign, type Reign, type ReignOptions } from './reign.ts'

/** What is made here, not given. */
type Made = 'keys' | 'reign' | 'fleet' | 'pings' | 'records' | 'lastConnected'

export interface DownlinkOptions
  extends Omit<CommandSenderOptions, Made | 'port'>,
    Omit<TelemetrySinkOptions, Made | 'port'>,
    Omit<ReignOptions, Made | 'audit'> {
  records: RecordStore
  /** X25519, 32 bytes: the authority's command key. */
  commandSecret: Uint8Array
  ports: { command: number; telemetry: number }
}

export interface Downlink {
  reign: Reign
  commands: CommandSender
  fleet: Fleet
}

/**
 * Raises the term, begins to listen, and sends the first PING to 255 when the start is over. Rejects with `Conflict`
 * when another process reigns, and with the error of the transport when a port cannot be had.
 */
export async function startDownlink(options: DownlinkOptions, signal: AbortSignal): Promise<Downlink> {
  const { records, brake, roster, ports } = options
  const keys = nodeKeyRing({ meshId: options.meshId, commandSecret: options.commandSecret })
  await brake.read()
  // A port that cannot be had must not cost a term: agents follow only so far.
  await (await options.transport.listen(options.address, ports.telemetry, (connection) => connection.destroy())).close()
  const known = lastConnected(records).filter((node) => roster.get(node))
  const reign = await openReign({ ...options, lastConnected: known }, signal)

  // Sink and sender need each other; both hold the other by these, and use them only once both are there.
  let commands: CommandSender | undefined
  const pings = firstPings({
    clock: options.clock,
    nodes: () => roster.all().map(({ node }) => node),
    isHeard: (node) => fleet.view(node).liveness === 'Fresh',
    pingAll: async (nodes) => commands?.broadcast(OP.PING, 0, nodes),
    ping: (node) => commands?.ping(node),
  })
  const fleet: Fleet = await startTelemetrySink(
    {
      ...options,
      keys,
      reign,
      port: ports.telemetry,
      pings: {
        draw: pings.draw,
        settle(node) {
          pings.settle(node)
          commands?.settlePing(node)
        },
        sent: (node) => commands?.pings(node),
      },
    },
    signal,
  )
  const sender = await startCommandSender({ ...options, keys, reign, fleet, port: ports.command }, signal)
  commands = sender
  rememberConnected({ ...options, fleet }, signal)

  const pingAll = async (): Promise<void> => {
    if (reign.phase() === 'Open') await pings.ask()
  }
  const stop = [
    reign.subscribe((change) => {
      if (change.type === 'opened' || change.type === 'raised') void pingAll()
    }),
    roster.subscribe((node) => {
      if (roster.get(node)) return pings.draw(node)
      pings.settle(node)
      sender.settlePing(node)
    }),
  ]
  signal.addEventListener('abort', () => [...stop, pings.stop].forEach((end) => void end()), { once: true })
  await pingAll()
  return { reign, commands: sender, fleet }
}
