// A peer changes its WireGuard key without being locked out (section 8, "Key change"). Pure.
//
// While the new bundle is staged its new keys are let in already, with no address: whoever switches first is answered.
// At the switch the addresses move to the new key. The old one stays, with no address, until the peer has been heard
// under the new one for longer than it may take the switch back; where it is not heard within 30 s the addresses return
// to the old key, for the peer has returned to it as well, or has never left it.
import type { BundleContent, BundlePeer } from '../../protocol/bundle/document.ts'
import type { WireGuardConfig, WireGuardPeer } from '../drivers/wireguard/port.ts'

/** Section 8: without a handshake for so long, the key change is taken back. */
export const KEY_SILENT_MS = 30_000
/** The peer's own trial of the switch is over by then (section 7.2: 60 s). */
export const KEY_SETTLED_MS = 90_000

/** A key that the peer had before. */
export interface FormerKey {
  /** The peer as it was declared under that key. */
  peer: BundlePeer
  sinceMs: number
}

/** By node id. */
export type FormerKeys = ReadonlyMap<string, FormerKey>

/** Age of the last handshake by public key, seconds; undefined: never. */
export type Ages = ReadonlyMap<string, number | undefined>

/** The peer shook hands under the key it should have later than under the one it had. */
function settled(key: string, former: string, ages: Ages): boolean {
  const age = ages.get(key)
  return age !== undefined && age <= (ages.get(former) ?? Number.POSITIVE_INFINITY)
}

/** What is to be remembered, after `before` was replaced by `now` (undefined: it was not), and with what was heard. */
export function formerKeys(
  known: FormerKeys,
  before: BundleContent | undefined,
  now: BundleContent,
  ages: Ages,
  nowMs: number,
): FormerKeys {
  const next = new Map(known)
  for (const peer of now.peers) {
    const was = before?.peers.find((p) => p.nodeId === peer.nodeId)
    if (was && was.publicKey !== peer.publicKey) next.set(peer.nodeId, { peer: was, sinceMs: nowMs })
  }
  for (const [nodeId, { peer, sinceMs }] of next) {
    const declared = now.peers.find((p) => p.nodeId === nodeId)
    const heard = declared && settled(declared.publicKey, peer.publicKey, ages)
    const over = heard && nowMs - sinceMs >= KEY_SETTLED_MS
    if (!declared || declared.publicKey === peer.publicKey || over) next.delete(nodeId)
  }
  return next
}

/** Does the staged content give a peer another key? */
export function bringsKeys(staged: BundleContent, content: BundleContent): boolean {
  const keys = new Map(content.peers.map((p) => [p.nodeId, p.publicKey]))
  return staged.peers.some((p) => keys.has(p.nodeId) && keys.get(p.nodeId) !== p.publicKey)
}

/** The interface with the keys that come and go beside those in force. */
export function withKeyChanges(
  config: WireGuardConfig,
  content: BundleContent,
  change: { staged?: BundleContent | undefined; former: FormerKeys; ages: Ages; nowMs: number },
): WireGuardConfig {
  const taken = new Set(content.peers.map((p) => p.publicKey))
  const nodeOf = (publicKey: string) => content.peers.find((p) => p.publicKey === publicKey)?.nodeId
  const peers = config.peers.flatMap((peer): WireGuardPeer[] => {
    const nodeId = nodeOf(peer.publicKey)
    const coming = change.staged?.peers.find((p) => p.nodeId === nodeId && !taken.has(p.publicKey))
    const welcome = coming ? [silent(coming.publicKey)] : []
    const former = nodeId === undefined ? undefined : change.former.get(nodeId)
    if (!former || taken.has(former.peer.publicKey)) return [peer, ...welcome]
    const old = former.peer
    const waiting = change.nowMs - former.sinceMs < KEY_SILENT_MS
    if (waiting || settled(peer.publicKey, old.publicKey, change.ages))
      return [peer, { ...silent(old.publicKey), ...endpointOf(old) }, ...welcome]
    const back = { ...peer, ...endpointOf(old), publicKey: old.publicKey }
    return [{ ...peer, allowedIPs: [] }, back, ...welcome]
  })
  return { ...config, peers: peers.filter((p, i) => peers.findIndex((q) => q.publicKey === p.publicKey) === i) }
}

/** Let in, but neither spoken to nor routed to. */
const silent = (publicKey: string): WireGuardPeer => ({ publicKey, allowedIPs: [], persistentKeepalive: 0 })
/** As it was declared: another declaration would be a decision, and end its session. */
const endpointOf = ({ endpoint }: BundlePeer) => (endpoint === undefined ? {} : { endpoint })
