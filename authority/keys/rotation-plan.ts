// How one node gets another command key and another WireGuard key by REKEY; pure.
//
//   asked --REKEY, pending key shown--> offered --registry line--> used on both sides --telemetry shows it--> next key
//
// Nobody is locked out: of a command key both the old and the new one are accepted from the node until one has proved
// itself, and the node keeps its old one until a packet under the new one has come; of a WireGuard key the bundle says
// which to use, and both ends go back by themselves (decision 0018). What went back is failed, and the old key stays.
import type { NodeIdentity } from '../../api/v1alpha1/node.ts'
import type { BundleState } from '../../controllers/ports/bundles.ts'

export type Use = 'command' | 'wireguard'
export const USES: readonly Use[] = ['command', 'wireguard']

/** A node that goes on speaking under its old command key has not taken the new one. */
export const TAKE_WITHIN_MS = 30_000

export interface Offer {
  use: Use
  publicKey: string
  former: string
  /** Clock.now() */
  sinceMs: number
}

/** The record `rekey/<node uid>`. */
export interface Rekey {
  node: string
  askedMs: number
  todo: readonly Use[]
  offer?: Offer
  /** Clock.now() when the last of `todo` was done, or one failed. */
  endedMs?: number
  failed?: { use: Use; why: string; offer?: Offer }
}

export interface RekeyFacts {
  rekey: Rekey
  /** As the registry has them. */
  identity: NodeIdentity
  /** Freshly heard, and what it shows. */
  shown?: { pending: { command?: string; wireguard?: string }; interfaceKey?: string }
  /** Under which command key it was heard last since the offer. */
  heardUnder?: string
  /** Its own bundle, and whether any node went back from one. */
  bundle: BundleState['stage']
  anyReverted: boolean
  /** Nodes that would lose their way to it, because they are not heard: they cannot be told its next WireGuard key. */
  deaf: readonly string[]
  nowMs: number
}

export type RekeyStep =
  | { do: 'wait'; why: string }
  | { do: 'ask'; use: Use }
  | { do: 'offer'; offer: Offer }
  | { do: 'identity'; identity: NodeIdentity }
  | { do: 'done'; use: Use }
  | { do: 'failed'; use: Use; why: string; identity: NodeIdentity }

const FIELD = { command: 'commandPublicKey', wireguard: 'wireguardPublicKey' } as const

export function nextRekeyStep(facts: RekeyFacts): RekeyStep {
  const { rekey, shown } = facts
  if (rekey.offer) return offered(facts, rekey.offer)
  const use = rekey.todo[0] as Use
  if (!shown) return { do: 'wait', why: 'not heard' }
  if (use === 'wireguard' && facts.deaf.length > 0)
    return { do: 'wait', why: `these would lose their way to it, and are not heard: ${facts.deaf.join(', ')}` }
  const publicKey = shown.pending[use]
  if (publicKey === undefined) return { do: 'ask', use }
  return { do: 'offer', offer: { use, publicKey, former: facts.identity[FIELD[use]], sinceMs: facts.nowMs } }
}

function offered(facts: RekeyFacts, offer: Offer): RekeyStep {
  const { identity, shown, nowMs } = facts
  const { use, publicKey, former, sinceMs } = offer
  const withKey = (key: string): NodeIdentity => ({ ...identity, [FIELD[use]]: key })
  if (identity[FIELD[use]] !== publicKey) return { do: 'identity', identity: withKey(publicKey) }
  const failed = (why: string): RekeyStep => ({ do: 'failed', use, why, identity: withKey(former) })
  const lost = shown !== undefined && shown.pending[use] !== publicKey
  if (use === 'command') {
    if (facts.heardUnder === publicKey) return { do: 'done', use }
    if (facts.heardUnder === former && lost) return failed('the node no longer has the key it made')
    if (facts.heardUnder === former && nowMs - sinceMs >= TAKE_WITHIN_MS) return failed('the node did not take it')
    return { do: 'wait', why: 'until it speaks under its new command key' }
  }
  if (facts.bundle === 'Reverted' || facts.anyReverted) return failed('the way back: nobody was heard under it')
  if (shown?.interfaceKey === publicKey && lost && facts.bundle === 'Applied') return { do: 'done', use }
  if (shown?.interfaceKey === former && lost) return failed('the node no longer has the key it made')
  return { do: 'wait', why: 'until both ends use its new WireGuard key' }
}
