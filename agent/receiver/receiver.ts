// Every packet of UDP 8090 in the order of section 7.1, "Receiver order": length, source, target, bucket on bad
// tags, tag, sequence. Nothing is ever answered (law 1); what is discarded is counted by reason (law 5).
//
// Guarantees: a packet acts at most once and never after a newer one of its (op, slot), over loss, duplication,
// reordering and restarts; a command acts only after its term and its mark are durable.
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import { decodeCommand } from '../../protocol/command/decode.ts'
import type { Op } from '../../protocol/command/ops.ts'
import { TARGET_ALL } from '../../protocol/command/ops.ts'
import { ticksAheadMs } from '../../protocol/command/sequence.ts'
import { compareSequence, type Sequence, type Slot, type TargetByte, type Term } from '../../protocol/ids.ts'
import type { Keyring, Verdict } from '../keys/keyring.ts'
import type { MarkJournal } from '../marks/journal.ts'
import type { Refusals } from './refusals.ts'
import { tokenBucket } from './token-bucket.ts'

const PACKET_BYTES = 16
const TARGET_AT = 1
/** A packet further off than this acts no more on a node whose clock is synchronised. */
export const CLOCK_LIMIT_MS = 120_000
/** Bad tags: a burst, then a trickle; each costs up to 34 HMACs. */
const BAD_TAGS = 100
const BAD_TAGS_PER_SECOND = 20

export interface AcceptedCommand {
  op: Op
  slot: Slot
  value: number
  sequence: Sequence
  term: Term
}

/** What the applied bundle says about who may command this node; a switch replaces it. */
export interface CommandSource {
  /** Last octet of the node's own mesh address. */
  target: TargetByte
  /** Mesh addresses of the listed authorities. */
  addresses: ReadonlySet<string>
  meshEpochMs: number
  keyring: Keyring
}

export interface ReceiverOptions {
  clock: Clock
  log: Logger
  refusals: Refusals
  marks: MarkJournal
  term: { current(): Term; durable(): Term; raise(term: Term): Promise<void> }
  clockSynchronised(): boolean
  /** Why the applied bundle does not allow the command now; undefined: it does. */
  forbidden(command: AcceptedCommand): string | undefined
  /** The tag was right, whatever becomes of the command. */
  onGenuine(from: string, verdict: Verdict): void
  /** The mark is durable as begun: act. */
  onCommand(command: AcceptedCommand): void
}

export interface Receiver {
  receive(bytes: Uint8Array, from: string): void
  /** undefined: nobody is listened to. */
  use(source: CommandSource | undefined): void
  /** Copies meant for other nodes: most of the traffic, and no refusal. */
  notForUs(): number
}

export function createReceiver(options: ReceiverOptions): Receiver {
  const { clock, log, refusals, marks, term } = options
  const badTags = tokenBucket(clock, BAD_TAGS, BAD_TAGS_PER_SECOND)
  let source: CommandSource | undefined
  let notForUs = 0

  /** Sequence and permission: the reason to discard, or undefined when its mark has been taken and it will act. */
  const admit = (command: AcceptedCommand): string | undefined => {
    if (!source) return 'NotAuthority'
    if (marks.lost()) return 'MarksLost'
    if (options.clockSynchronised()) {
      const ahead = ticksAheadMs(command.sequence, source.meshEpochMs, clock.now())
      if (Math.abs(ahead) > CLOCK_LIMIT_MS) return 'ClockOff'
    }
    if (compareSequence(command, marks.floor(command.slot)) < 0) return 'Stale'
    const mark = marks.get(command.op, command.slot)
    const order = mark ? compareSequence(command, mark) : 1
    if (order === 0) return 'Duplicate'
    if (order < 0) return 'Stale'
    // Not marked: a bundle that allows it may be on its way, and then a later copy of this packet shall count.
    const forbidden = options.forbidden(command)
    if (forbidden) return forbidden
    marks.begin(command).then(
      () => options.onCommand(command),
      (error) => {
        log.error({ err: String(error) }, 'a command is not obeyed: its mark could not be made durable')
        refusals.count('MarkNotDurable')
      },
    )
    return undefined
  }
  const countIf = (reason: string | undefined): void => {
    if (reason !== undefined) refusals.count(reason)
  }

  /** Everything up to the tag, then `admit`, once the packet's term is durable. */
  const judge = (bytes: Uint8Array, from: string): string | undefined => {
    if (bytes.length !== PACKET_BYTES) return 'BadLength'
    if (!source?.addresses.has(from)) return 'NotAuthority'
    const target = bytes[TARGET_AT]
    if (target !== source.target && target !== TARGET_ALL) {
      if (target === 0) return 'BadTarget'
      notForUs++
      return undefined
    }
    if (!badTags.has()) return 'TooManyBadTags'
    const verdict = source.keyring.verify(bytes, term.current())
    if (!verdict) {
      badTags.take()
      return 'BadTag'
    }
    const decoded = decodeCommand(bytes)
    if (!decoded.ok) return decoded.reason
    const { op, slot, value, sequence } = decoded.command
    const command: AcceptedCommand = { op, slot, value, sequence, term: verdict.term }
    options.onGenuine(from, verdict)
    if (verdict.term <= term.durable()) return admit(command)
    term.raise(verdict.term).then(
      () => countIf(admit(command)),
      () => refusals.count('TermNotDurable'),
    )
    return undefined
  }

  return {
    receive: (bytes, from) => countIf(judge(bytes, from)),
    use(next) {
      source = next
    },
    notForUs: () => notForUs,
  }
}
