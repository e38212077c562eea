// What is sent outside any delivery: a command to 255, and SEVER. It goes out at once, up to three times within 300 ms,
// and nothing is kept of it; whether it did anything is for telemetry to show.
import type { Clock } from '../../base/clock.ts'
import { PpnError } from '../../base/errors.ts'
import { OP, opName } from '../../protocol/command/ops.ts'
import type { Audit } from '../audit.ts'
import type { Brake } from '../brake.ts'
import type { Roster } from '../roster.ts'
import type { Reign } from '../term/reign.ts'
import type { commandPlanner, Packet, Times } from './planner.ts'
import { BURST_MS } from './schedule.ts'

export interface BroadcastResult {
  /** Nodes that the packet was sent to. */
  sent: string[]
  /** Nodes that it was not sent to, and why. */
  held: { node: string; reason: string }[]
}

export interface AtOnce {
  broadcast(op: typeof OP.PING | typeof OP.APPLY, value: number, nodes: readonly string[]): Promise<BroadcastResult>
  /** `throughBrake`: as a person asked for it, also to a node that speaks against us. */
  sever(node: string, throughBrake: boolean): Promise<void>
}

export interface AtOnceOptions {
  clock: Clock
  audit: Audit
  brake: Brake
  roster: Roster
  reign: Reign
  planner: ReturnType<typeof commandPlanner>
  /** The authority's own mesh address. */
  address: string
  /** Of the nodes that others of its replicas speak from. */
  authorityAddresses?(): readonly string[]
  times(): Times
  emit(packet: Packet): void
  auditPacket(packet: Packet, how?: object): void
  noteSever?(node: string): Promise<void>
}

export function atOnce(options: AtOnceOptions, signal: AbortSignal): AtOnce {
  const { clock, audit, brake, roster, reign, planner, times, emit, auditPacket } = options

  /** The second and third packet of what is sent outside any delivery: the same bytes under the same term. */
  const repeatLater = (packets: readonly Packet[], throughBrake: boolean): void => {
    const term = reign.term()
    for (const ms of BURST_MS.slice(1)) {
      clock.after(ms, async () => {
        if (!throughBrake && !(await brake.guard())) return
        if (signal.aborted || reign.term() !== term) return
        for (const packet of packets) {
          const repeated = planner.repeat(packet, throughBrake)
          if (repeated) emit(repeated)
        }
      })
    }
  }
  /** Before the listening is over nothing is sent, whoever asks: only then is it known whether this is a reign. */
  const listened = (): Promise<void> =>
    new Promise((resolve, reject) => {
      if (reign.phase() !== 'Listening') return resolve()
      const stop = reign.subscribe(() => {
        if (reign.phase() === 'Listening') return
        stop()
        resolve()
      })
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    })
  const isAuthority = (address: string) =>
    address === options.address || (options.authorityAddresses?.().includes(address) ?? false)
  const sever = async (node: string, throughBrake: boolean): Promise<void> => {
    const entry = roster.get(node)
    if (entry && (entry.hub || isAuthority(entry.address))) throw new PpnError('SeverRefused', { node })
    if (throughBrake) await audit.durable('command', { op: 'SEVER', node, throughBrake })
    else if (!(await brake.guard())) throw new PpnError('CommandHeld', { node, reason: 'Braked' })
    if (throughBrake) await listened()
    if (throughBrake && reign.phase() === 'Superseded') throw new PpnError('SeverSuperseded', { node })
    await options.noteSever?.(node)
    const packet = planner.sever(node, times(), throughBrake)
    if (typeof packet === 'string') throw new PpnError('CommandHeld', { node, reason: packet })
    emit(packet)
    auditPacket(packet, throughBrake ? { throughBrake } : {})
    repeatLater([packet], throughBrake)
  }
  const broadcast: AtOnce['broadcast'] = async (op, value, nodes) => {
    const free = await brake.guard()
    if (!free || signal.aborted) return { sent: [], held: nodes.map((node) => ({ node, reason: 'Braked' })) }
    const { packets, held } = planner.broadcast(op, value, nodes, times())
    for (const packet of packets) emit(packet)
    const sent = packets.map((packet) => packet.node)
    if (sent.length > 0) audit.record('command', { op: opName(op), to: sent, value, term: reign.term() })
    if (op !== OP.PING) repeatLater(packets, false)
    return { sent, held }
  }
  return { broadcast, sever }
}
