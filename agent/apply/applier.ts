// Obeys marked commands. One after the other per (op) of the node and per slot; a slow slot delays no other. An act
// whose (op, slot) got a newer command meanwhile is left out; every act can be repeated.
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import { OP } from '../../protocol/command/ops.ts'
import { compareSequence, type Revision, type RevisionMark, type Slot, type Term } from '../../protocol/ids.ts'
import { expandRevision } from '../../protocol/revision.ts'
import type { MarkJournal } from '../marks/journal.ts'
import type { AcceptedCommand } from '../receiver/receiver.ts'
import { serialQueue } from '../timing/serial.ts'

const RETRY_MS = 1_000

export interface Acts {
  /** PING */
  reportAll(): Promise<void>
  /** APPLY */
  tell(told: RevisionMark): Promise<void>
  /** Revisions that an APPLY may mean. */
  revisions(): readonly Revision[]
  isolate(on: boolean): Promise<void>
  rekey(use: 'command' | 'wireguard'): Promise<void>
  sever(): Promise<void>
  /** POWER, BALLOON, WEIGHT: the mark says the rest. */
  obey(slot: Slot): Promise<void>
}

export interface Applier {
  apply(command: AcceptedCommand): void
  /** At a start: what was begun and not done is done again. */
  resume(): void
}

export function createApplier(
  options: { clock: Clock; log: Logger; marks: MarkJournal; acts: Acts; changed(): void },
  signal: AbortSignal,
): Applier {
  const { clock, log, marks, acts } = options
  const queues = new Map<string, ReturnType<typeof serialQueue>>()
  const queueOf = (command: AcceptedCommand) => {
    const key = command.slot === 0 ? `op ${command.op}` : `slot ${command.slot}`
    const queue = queues.get(key) ?? serialQueue()
    queues.set(key, queue)
    return queue
  }

  const act = ({ op, slot, value, term }: AcceptedCommand): Promise<void> => {
    switch (op) {
      case OP.PING:
        return acts.reportAll()
      case OP.APPLY:
        return acts.tell({ term, revision: expandRevision(value, Math.max(0, ...acts.revisions())) })
      case OP.ISOLATE:
        return acts.isolate(value === 1)
      case OP.REKEY:
        return acts.rekey(value === 1 ? 'command' : 'wireguard')
      case OP.SEVER:
        return acts.sever()
      default:
        return acts.obey(slot)
    }
  }
  const isNewest = (command: AcceptedCommand): boolean => {
    const mark = marks.get(command.op, command.slot)
    return mark !== undefined && compareSequence(mark, command) === 0
  }

  /** Until it has been done, is overtaken, or the agent stops: a full disk is no reason to forget a command. */
  const carryOut = async (command: AcceptedCommand): Promise<void> => {
    while (!signal.aborted && isNewest(command)) {
      try {
        await act(command)
        if (signal.aborted) return
        await marks.done(command)
        return options.changed()
      } catch (error) {
        log.warn({ op: command.op, slot: command.slot, err: String(error) }, 'a command could not be carried out yet')
        await clock.sleep(RETRY_MS, signal).catch(() => {})
      }
    }
  }
  const apply = (command: AcceptedCommand): void => {
    options.changed()
    void queueOf(command)(() => carryOut(command))
  }

  return {
    apply,
    resume() {
      for (const mark of marks.durable()) {
        const void_ = compareSequence(mark, marks.floor(mark.slot)) < 0
        if (mark.state === 'begun' && !void_) apply({ ...mark, term: mark.term as Term })
      }
    },
  }
}
