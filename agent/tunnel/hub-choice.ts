// Which hub a spoke uses: the one in use until it is silent for 180 s, then the next (section 7.6). Pure.

/** Section 8: beyond this handshake age a peer is down. */
export const HUB_SILENT_MS = 180_000

export interface HubState {
  publicKey: string
  /** Undefined: never. */
  handshakeAgeMs: number | undefined
}

export interface HubChoice {
  publicKey: string
  /** Clock.monotonic() when it came into use: it gets 180 s to answer. */
  sinceMs: number
}

/** `hubs` in bundle order. Prefers, among the others, one that answers; undefined when there is no hub. */
export function chooseHub(
  hubs: readonly HubState[],
  current: HubChoice | undefined,
  nowMs: number,
): HubChoice | undefined {
  const first = hubs[0]
  if (!first) return undefined
  const at = hubs.findIndex((h) => h.publicKey === current?.publicKey)
  if (!current || at < 0) return { publicKey: first.publicKey, sinceMs: nowMs }
  const silent = (h: HubState) => h.handshakeAgeMs === undefined || h.handshakeAgeMs >= HUB_SILENT_MS
  if (nowMs - current.sinceMs < HUB_SILENT_MS || !silent(hubs[at]!)) return current
  const others = [...hubs.slice(at + 1), ...hubs.slice(0, at)]
  const next = others.find((h) => !silent(h)) ?? others[0]
  // A lone hub keeps its place; its time starts anew so that nothing happens until it is judged again.
  return { publicKey: next?.publicKey ?? current.publicKey, sinceMs: nowMs }
}
