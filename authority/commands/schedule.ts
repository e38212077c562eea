// When a command is sent again (section 7.1, Delivery).
import { OP, type Op } from '../../protocol/command/ops.ts'

/** The first packets of a command, in milliseconds after it was due. SEVER's three are these. */
export const BURST_MS = [0, 100, 300] as const
/** Then every 2 s, doubling ... */
const RETRY_MS = 2_000
/** ... up to this for a node that is Connected, ... */
const RETRY_CAP_MS = 30_000
/** ... and up to this for one that is not. */
const UNHEARD_CAP_MS = 300_000
/** Each wait is up to this share longer or shorter, so that many commands do not keep step. */
const JITTER = 0.2

/** What a node that is not Connected may be sent. */
export const OPS_TO_UNHEARD: ReadonlySet<Op> = new Set([OP.PING, OP.ISOLATE, OP.SEVER])

/** Packets that go out in quick succession before the waits begin. A PING asks for an answer; one is enough. */
export function burstOf(op: Op): number {
  return op === OP.PING ? 1 : BURST_MS.length
}

/**
 * Whole milliseconds from the `sent`-th packet of a command (from 1) to the next one.
 * `spread`: a random number in [0, 1).
 */
export function delayAfter(op: Op, sent: number, connected: boolean, spread: number): number {
  const burst = burstOf(op)
  if (sent < burst) return (BURST_MS[sent] ?? 0) - (BURST_MS[sent - 1] ?? 0)
  const cap = connected ? RETRY_CAP_MS : UNHEARD_CAP_MS
  const base = Math.min(cap, RETRY_MS * 2 ** Math.min(sent - burst, 16))
  return Math.round(base * (1 - JITTER + 2 * JITTER * spread))
}
