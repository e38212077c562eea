// The start of a reign, and whether it is one (section 7.1, Start), as a pure machine:
//
//   Listening -- every awaited node heard, or 5 s ----------------> Open
//   Listening, Open -- a hub, or two nodes, speak against us -----> Superseded, for good
//
// A node speaks against us when it reports a term that our newest state cannot explain: equal to ours or above
// before we sent it anything in this term, or above ours at any time. One spoke alone may be lying or mad: it is
// muted, and the reign goes on.
import type { Term } from '../../protocol/ids.ts'

/** Longest time to listen before the first packet. */
export const LISTEN_MS = 5_000

export interface StartState {
  phase: 'Listening' | 'Open' | 'Superseded'
  term: Term
  /** Nodes last Connected and not heard yet. */
  awaited: ReadonlySet<string>
  /** Nodes that spoke against us: nothing is sent to them. */
  against: ReadonlySet<string>
}

export type StartEvent =
  /** A frame with a valid tag, of whatever term. `told`: something was sent to the node in this term before. */
  | { type: 'heard'; node: string; hub: boolean; term: Term; told: boolean }
  | { type: 'deadline' }
  /** A restore took a higher term from telemetry. */
  | { type: 'raised'; term: Term }

/** `lastConnected`: the nodes that were Connected when the last process ended; none: nothing to listen for. */
export function beginStart(term: Term, lastConnected: Iterable<string>): StartState {
  const awaited = new Set(lastConnected)
  return { phase: awaited.size === 0 ? 'Open' : 'Listening', term, awaited, against: new Set() }
}

export function nextStart(state: StartState, event: StartEvent): StartState {
  if (state.phase === 'Superseded') return state
  switch (event.type) {
    case 'deadline':
      return { ...state, phase: 'Open', awaited: new Set() }
    case 'raised':
      return { ...state, term: event.term }
    case 'heard':
      return afterHearing(state, event)
  }
}

function afterHearing(state: StartState, event: Extract<StartEvent, { type: 'heard' }>): StartState {
  const speaksAgainst = event.term > state.term || (event.term === state.term && !event.told)
  if (speaksAgainst) {
    const against = new Set(state.against).add(event.node)
    if (event.hub || against.size >= 2) return { ...state, phase: 'Superseded', against }
    return listened({ ...state, against }, event.node)
  }
  return listened(state, event.node)
}

function listened(state: StartState, node: string): StartState {
  if (!state.awaited.has(node)) return state
  const awaited = new Set(state.awaited)
  awaited.delete(node)
  return { ...state, awaited, phase: state.phase === 'Listening' && awaited.size === 0 ? 'Open' : state.phase }
}
