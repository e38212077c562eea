// The next step of a move, from what is recorded and what telemetry shows (law 7). Pure.
//
//   stopping  --stopped on the old node-->  releasing  --signed release and root-->  copying  --disk proved-->  landed
//   landed    --seen as declared-->         cleaning   --old copy shown gone-->      (no move)
//
// Called off: while stopping, it just stays; while releasing or copying, it returns, once the old node has proved its
// release: what was ordered to be given up is taken back only under a higher epoch. From `landed` on it goes through,
// and a further change of the pin is a further move. A node that is not heard is waited for, whatever it was doing.
import type { Digest } from '../../protocol/ids.ts'
import type { Placement } from '../ports/allocator.ts'
import type { Move } from './record.ts'

export interface MoveFacts {
  move?: Move
  placement: Placement
  /** Where it is declared to be; undefined: it is being deleted, so it goes nowhere new. */
  pin?: string
  /** relocation: OnPinChange. */
  served: boolean
  /** The pinned node would take it. */
  admitted: boolean
  /** The allocator found no slot there. */
  noSlot: boolean
  /** Fresh telemetry of the old node shows it stopped, and the POWER 0 that stopped it. */
  stopped: boolean
  /** Verified release of the epoch it had there, in fresh telemetry. */
  release?: { root?: Digest }
  /** Fresh telemetry of the node it is placed on shows the whole disk, under the placement's epoch. */
  ready: boolean
  /** The same shows it in the declared run state. */
  asDeclared: boolean
  /** The copy left behind is shown gone, or its node is no more. */
  leftoverGone: boolean
  /** Chunks that the new node holds, when the push has stood still for long enough to be called cut. */
  cutAt?: number
}

/** Why nothing is done just now. */
export type MoveWait = 'Stopping' | 'Releasing' | 'Copying' | 'Landing' | 'Returning' | 'Cleaning'

export type MoveStep =
  | { do: 'nothing' }
  /** The record, as it is to be; undefined: no move. */
  | { do: 'record'; move: Move | undefined }
  | { do: 'place'; node: string }
  | { do: 'raise' }
  | { do: 'wait'; for: MoveWait }

const record = (move: Move | undefined): MoveStep => ({ do: 'record', move })
const wait = (what: MoveWait): MoveStep => ({ do: 'wait', for: what })

export function nextStep(facts: MoveFacts): MoveStep {
  const { move } = facts
  switch (move?.phase) {
    case undefined:
      return beginning(facts)
    case 'stopping':
      return stopping(facts, move as Move)
    case 'releasing':
      return releasing(facts, move as Move)
    case 'copying':
      return copying(facts, move as Move)
    case 'landed':
      return landed(facts, move as Move)
    case 'returning':
      return returning(facts, move as Move)
    case 'cleaning':
      return facts.leftoverGone ? record(undefined) : wait('Cleaning')
  }
}

function beginning({ placement, pin, served, admitted }: MoveFacts): MoveStep {
  if (pin === undefined || pin === placement.node || !served || !admitted) return { do: 'nothing' }
  return record({ phase: 'stopping', from: placement, to: pin })
}

function stopping({ pin, admitted, stopped, placement }: MoveFacts, move: Move): MoveStep {
  if (pin !== move.to || !admitted) return record(undefined)
  return stopped ? record({ ...move, phase: 'releasing', from: placement }) : wait('Stopping')
}

function releasing({ pin, admitted, release }: MoveFacts, move: Move): MoveStep {
  // Another goal is as good as the first: nothing is there yet.
  if (pin !== undefined && pin !== move.to && pin !== move.from.node && admitted) return record({ ...move, to: pin })
  if (!release) return wait(pin === move.to ? 'Releasing' : 'Returning')
  if (pin !== move.to) return record({ ...move, phase: 'returning' })
  return release.root ? record({ ...move, phase: 'copying', root: release.root }) : wait('Releasing')
}

function copying({ pin, placement, ready, noSlot, cutAt }: MoveFacts, move: Move): MoveStep {
  const { from, to } = move
  const off = pin !== to
  if (placement.node !== to) {
    if (off) return record(returnOf(move))
    return noSlot ? wait('Copying') : { do: 'place', node: to }
  }
  if (off) return record(returnOf(move, placement))
  if (placement.fencingEpoch <= from.fencingEpoch) return { do: 'raise' }
  if (ready) return record({ ...move, phase: 'landed' })
  return cutAt !== undefined && cutAt !== (move.fromChunk ?? 0)
    ? record({ ...move, fromChunk: cutAt })
    : wait('Copying')
}

function returnOf({ from, to }: Move, leftover?: Placement): Move {
  return { phase: 'returning', from, to, ...(leftover && { leftover }) }
}

/** The disk is whole there, so the old copy may go as soon as the new one is seen well, or is wanted elsewhere. */
function landed({ pin, asDeclared }: MoveFacts, { from, to }: Move): MoveStep {
  if (!asDeclared && pin === to) return wait('Landing')
  return record({ phase: 'cleaning', from, to, leftover: from })
}

function returning({ placement, ready, noSlot }: MoveFacts, move: Move): MoveStep {
  const { from, to, leftover } = move
  if (placement.node !== from.node) return noSlot ? wait('Returning') : { do: 'place', node: from.node }
  if (!isRaised(placement, move)) return { do: 'raise' }
  if (!ready) return wait('Returning')
  return record(leftover && { phase: 'cleaning', from, to, leftover })
}

/** The placement's epoch lies above every one that this move has given up. */
export function isRaised({ fencingEpoch }: Placement, { from, leftover }: Move): boolean {
  return fencingEpoch > from.fencingEpoch && fencingEpoch > (leftover?.fencingEpoch ?? 0)
}
