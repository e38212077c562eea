// What should be happening now. Implemented by authority/commands.
import type { Command, Op } from '../../protocol/command/ops.ts'
import type { Slot } from '../../protocol/ids.ts'

/**
 * A changed `reissue` on an otherwise equal command means: the same value under a fresh sequence. A plan raises it
 * when the mark was shown, yet for 60 s neither effect, operation nor refusal was (section 7.1, Effects under way).
 */
export interface WantedCommand extends Command {
  /** Counts from 0, the default. */
  reissue?: number
}

export interface PendingCommand extends WantedCommand {
  /** Waiting: not Connected, braked, or the sequence clock is too far ahead. Sent: on the wire, unconfirmed. */
  state: 'Waiting' | 'Sent'
  reason?: string
  /** Clock.monotonic() of the first copy. */
  sentMs?: number
}

export interface Commands {
  /**
   * Replaces the set of commands wanted in `scope` (an object key) on `node`; an empty set withdraws it. Level
   * triggered: calling again with the same set changes nothing. The sender repeats each (section 7.1, Delivery)
   * until it is withdrawn, which a plan does once telemetry shows mark and effect. A new value for the same
   * (op, slot) replaces the old one under a fresh sequence.
   */
  want(scope: string, node: string, commands: readonly WantedCommand[]): void
  /** Commands of a node not yet withdrawn. */
  pending(node: string): PendingCommand[]
  /**
   * The value this authority process last put on the wire for (op, slot), confirmed or not: a plan that wants
   * another value must send it even if the effect already fits.
   */
  lastSent(node: string, op: Op, slot: Slot): number | undefined
}
