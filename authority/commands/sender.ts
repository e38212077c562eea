// The only thing that sends commands (section 7.1). The shell around planner.ts: brake, sockets, tags and audit.
// Nothing is ever read from its socket: the command channel goes one way (law 1).
import type { Clock, Timer } from '../../base/clock.ts'
import { PpnError } from '../../base/errors.ts'
import type { Logger } from '../../base/log.ts'
import type { RandomBytes } from '../../base/random.ts'
import type { Transport } from '../../base/transport.ts'
import type { Commands, PendingCommand, WantedCommand } from '../../controllers/ports/commands.ts'
import type { Fleet } from '../../controllers/ports/fleet.ts'
import { OP_RULES } from '../../protocol/command/layout.ts'
import { OP, type Op, opName } from '../../protocol/command/ops.ts'
import type { AuthorityId, MeshId, Revision, SequenceMark } from '../../protocol/ids.ts'
import type { Audit } from '../audit.ts'
import type { Brake } from '../brake.ts'
import { type Metrics, noMetrics } from '../metrics.ts'
import type { Roster, RosterEntry } from '../roster.ts'
import type { NodeKeyRing } from '../term/node-keys.ts'
import type { Reign } from '../term/reign.ts'
import { atOnce, type BroadcastResult } from './at-once.ts'
import { copySender } from './copy-sender.ts'
import type { NodeFacts } from './delivery.ts'
import { packetEncoder } from './packet-encoder.ts'
import { commandPlanner, type Packet, type Times } from './planner.ts'

/** Packets sent in one turn of the event loop, under one look at the brake. */
const BATCH = 256
/** Pause between two full batches: whoever else waits for the event loop gets it. */
const BATCH_PAUSE_MS = 1
/** After a fault of our own: the sending goes on, but does not spin. */
const ERROR_PAUSE_MS = 1_000
/** Any port: what counts at the receiver is the address. */
const ANY_PORT = 0

export interface CommandSenderOptions {
  transport: Transport
  clock: Clock
  random: RandomBytes
  log: Logger
  audit: Audit
  /** Watched by whoever made it: lifting it is noticed by that. */
  brake: Brake
  roster: Roster
  keys: NodeKeyRing
  reign: Reign
  fleet: Pick<Fleet, 'view' | 'subscribe'>
  metrics?: Metrics
  meshId: MeshId
  authorityId: AuthorityId
  meshEpochMs: number
  /** The authority's own mesh address: packets come from it. */
  address: string
  /** Of the nodes that others of its replicas speak from: like its own node, none of them is severed. */
  authorityAddresses?(): readonly string[]
  /** UDP port of the agents. */
  port: number
  /** A node is about to be severed outside any deletion: durable when resolved. */
  noteSever?(node: string): Promise<void>
}

export interface CommandSender extends Commands {
  /**
   * A command to 255: one packet per node, each with that node's own sequence and tag; PING once, others at 0, 100
   * and 300 ms. Resolves when the first ones are out. Nothing is kept for nodes in `held`.
   */
  broadcast(op: typeof OP.PING | typeof OP.APPLY, value: number, nodes: readonly string[]): Promise<BroadcastResult>
  /** APPLY, to every Connected node, with the low 16 bits of the revision. */
  broadcastApply(revision: Revision): Promise<BroadcastResult>
  /** Sends SEVER three times within 300 ms. Rejects with CommandHeld (Braked, ...), SeverRefused. */
  sever(node: string): Promise<void>
  /**
   * As a person asked for it: under the brake, and to a node that speaks against us, as a stolen one would. The audit
   * line is durable before the first packet (law 12). Waits while the authority listens (5 s at most). Rejects with
   * SeverSuperseded when no node would obey.
   */
  severThroughBrake(node: string): Promise<void>
  /** A PING under a fresh sequence to this node alone, repeated with backoff until `settlePing`. */
  ping(node: string): void
  settlePing(node: string): void
  /** First and last PING sent to the node under the current term. */
  pings(node: string): { first: number; last: number } | undefined
  /** A mark at or above everything ever sent to the node; everything sent later lies above it. */
  ceiling(node: string): SequenceMark
}

/** Binds the socket and begins to send. Everything stops when the signal aborts. */
export async function startCommandSender(options: CommandSenderOptions, signal: AbortSignal): Promise<CommandSender> {
  const { clock, roster, reign, fleet, brake, audit, log, metrics = noMetrics } = options
  const socket = await options.transport.bindUdp(options.address, ANY_PORT, () => {})
  const copies = copySender({ ...options, socket }, signal)
  const encode = packetEncoder(options)
  let timer: Timer | undefined
  let pumping = false
  let again = false

  const facts = (node: string): NodeFacts => {
    const view = fleet.view(node)
    const connected = view.liveness === 'Fresh'
    return {
      silence: roster.get(node) ? reign.silence(node) : 'NotEnrolled',
      connected,
      ops: view.report?.reads.ops,
      shown: (op, slot) =>
        connected ? view.report?.marks.find((mark) => mark.op === op && mark.slot === slot) : undefined,
    }
  }
  const planner = commandPlanner({
    meshEpochMs: options.meshEpochMs,
    term: reign.term,
    facts,
    spread: () => (options.random(1)[0] ?? 0) / 256,
  })
  const times = (): Times => ({ nowMs: clock.monotonic(), wallMs: clock.now() })

  /** Who gets a copy: every other node that is Connected. */
  const others = (addressed: RosterEntry): string[] =>
    roster
      .all()
      .filter((entry) => entry !== addressed && fleet.view(entry.node).liveness === 'Fresh')
      .map((entry) => entry.address)
  const emit = (packet: Packet): void => {
    const entry = roster.get(packet.node)
    const bytes = entry && encode(packet, entry, reign.term())
    if (!entry || !bytes) return
    reign.noteSent(packet.node)
    metrics.count('ppn_commands_sent_total', opName(packet.op))
    // A packet that the kernel refuses is one that got lost: it is repeated like any other.
    socket.send(bytes, entry.address, options.port).catch(() => metrics.count('ppn_command_send_failures_total'))
    if (packet.copies) copies.send(bytes, others(entry))
  }

  const auditPacket = ({ op, node, slot, value, sequence }: Packet, how: object = {}): void =>
    audit.record('command', { op: opName(op), node, slot, value, term: reign.term(), sequence, ...how })

  /** Sends what is due, then sleeps until the next is. */
  const pump = async (): Promise<void> => {
    if (pumping) {
      again = true
      return
    }
    pumping = true
    try {
      do {
        again = false
        timer?.cancel()
        const free = await brake.guard()
        if (signal.aborted) return
        // Whoever lifts the brake wakes the pump: the brake is subscribed to.
        if (!free) continue
        const packets = planner.take(times(), BATCH)
        for (const packet of packets) {
          emit(packet)
          if (packet.fresh) auditPacket(packet)
        }
        const nextMs = planner.nextMs()
        const waitMs = packets.length === BATCH ? BATCH_PAUSE_MS : (nextMs ?? 0) - clock.monotonic()
        if (nextMs !== undefined) timer = clock.after(Math.max(0, waitMs), () => void pump())
      } while (again)
    } catch (error) {
      log.error({ error: String(error) }, 'commands could not be sent')
      timer = clock.after(ERROR_PAUSE_MS, () => void pump())
    } finally {
      pumping = false
    }
    metrics.gauge('ppn_commands_pending', planner.size())
  }
  let kicked = false
  /** Pumps once for all that is wanted in this turn. */
  const kick = (): void => {
    if (kicked) return
    kicked = true
    queueMicrotask(() => {
      kicked = false
      void pump()
    })
  }

  const { broadcast, sever } = atOnce({ ...options, planner, times, emit, auditPacket }, signal)

  const wake = (node: string): void => {
    planner.wake(node, clock.monotonic())
    kick()
  }
  const wakeAll = (): void => {
    for (const { node } of roster.all()) wake(node)
  }
  const unsubscribe = [fleet.subscribe(wake), roster.subscribe(wake), reign.subscribe(wakeAll), brake.subscribe(kick)]
  signal.addEventListener(
    'abort',
    () => {
      for (const stop of unsubscribe) stop()
      timer?.cancel()
      socket.close()
    },
    { once: true },
  )

  return {
    want(scope, node, commands) {
      for (const command of commands) checkCommand(command)
      planner.want(scope, node, commands, clock.monotonic())
      kick()
    },
    pending(node): PendingCommand[] {
      const pending = planner.pending(node)
      if (!brake.last().set) return pending
      return pending.map((command) => ({ ...command, reason: 'Braked' }))
    },
    lastSent: planner.lastSent,
    broadcast,
    broadcastApply: (revision) =>
      broadcast(
        OP.APPLY,
        revision & 0xffff,
        roster.all().map(({ node }) => node),
      ),
    sever: (node) => sever(node, false),
    severThroughBrake: (node) => sever(node, true),
    ping(node) {
      planner.ping(node, clock.monotonic())
      kick()
    },
    settlePing: planner.settlePing,
    pings: planner.pings,
    ceiling: (node) => ({ term: reign.term(), sequence: planner.ceiling(node, clock.now()) }),
  }
}

/** A command that no packet could carry is the caller's mistake, found where it is made. */
function checkCommand({ op, slot, value }: WantedCommand): void {
  const rule = OP_RULES[op as Op]
  if (!rule) throw new PpnError('BadCommand', { reason: 'UnknownOp' })
  if ((rule.about === 'node') !== (slot === 0) || slot < 0 || slot > 255)
    throw new PpnError('BadCommand', { reason: 'BadSlot' })
  if (!Number.isInteger(value) || value < rule.lowest || value > rule.highest)
    throw new PpnError('BadCommand', { reason: 'BadValue' })
}
