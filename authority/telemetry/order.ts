// Whether a frame of the current term is news of a node, as a pure machine (section 7.3). Within a boot id sequence
// and uptime rise; a boot id once left never returns. What could be an old recording proves itself first: it must
// show the mark of a PING that was sent after it was seen. That holds for a boot id other than the present one, and
// for a frame whose uptime lags our clock.
import type { Sequence } from '../../protocol/ids.ts'
import type { FrameHeader } from '../../protocol/telemetry/report.ts'

/** A frame this much older than it should be was held up on the way. */
export const MAX_LAG_MS = 60_000
/** Boot ids left that are remembered; each took a new agent process that answered a PING. */
const LEFT_KEPT = 4096

interface Position {
  readonly bootId: string
  readonly sequence: number
  readonly uptimeMs: number
}

export interface OrderState {
  /** The last accepted frame's boot id, and the last frame seen of it. */
  readonly current?: Position & {
    /** Greatest uptime minus receiver's time: that of the frame that came fastest. */
    readonly offsetMs: number
  }
  /** Not believed yet: needs a mark above `afterPing` (undefined: any PING of ours). */
  readonly proving?: Position & { readonly afterPing?: Sequence }
  readonly left: readonly string[]
}

export const noOrder: OrderState = { left: [] }

type OrderFault = 'BootIdReturned' | 'SequenceNotRising' | 'UptimeWentBack'
/** Why a frame in order is not believed yet: to be counted, and to draw a PING. */
type ProofReason = 'BootIdUnproven' | 'UptimeLags'

export type Seen = { ok: false; fault: OrderFault } | { ok: true; state: OrderState; unproven?: ProofReason }

/** A frame came, whose tag holds. `lastPing`: the last PING sent to the node so far; `nowMs`: Clock.monotonic(). */
export function seen(state: OrderState, header: FrameHeader, lastPing: Sequence | undefined, nowMs: number): Seen {
  const { bootId, sequence, uptimeMs } = header
  const position: Position = { bootId, sequence, uptimeMs }
  if (state.left.includes(bootId)) return { ok: false, fault: 'BootIdReturned' }

  const known = [state.current, state.proving].filter((one) => one?.bootId === bootId)
  if (known.some((one) => one && sequence <= one.sequence)) return { ok: false, fault: 'SequenceNotRising' }
  if (known.some((one) => one && uptimeMs < one.uptimeMs)) return { ok: false, fault: 'UptimeWentBack' }

  const { current, proving } = state
  if (current?.bootId === bootId) {
    const offsetMs = Math.max(current.offsetMs, uptimeMs - nowMs)
    const moved = { ...current, ...position, offsetMs }
    if (proving?.bootId === bootId)
      return {
        ok: true,
        state: { ...state, current: moved, proving: { ...proving, ...position } },
        unproven: 'UptimeLags',
      }
    if (nowMs + offsetMs - uptimeMs <= MAX_LAG_MS) return { ok: true, state: { ...state, current: moved } }
    return {
      ok: true,
      state: { ...state, current: moved, proving: { ...position, afterPing: lastPing } },
      unproven: 'UptimeLags',
    }
  }
  if (proving?.bootId === bootId)
    return { ok: true, state: { ...state, proving: { ...proving, ...position } }, unproven: 'BootIdUnproven' }
  // The first boot id of all has no predecessor that it might wrongly displace.
  const afterPing = current ? lastPing : undefined
  const unproven = current ? ('BootIdUnproven' as const) : undefined
  return { ok: true, state: { ...state, proving: { ...position, afterPing } }, unproven }
}

/**
 * The frame last seen completes a report whose marks hold our PING of sequence `ping`. Returns the state after it
 * was accepted; undefined: it is not believed.
 */
export function accepted(
  state: OrderState,
  bootId: string,
  ping: Sequence | undefined,
  nowMs: number,
): OrderState | undefined {
  if (ping === undefined) return undefined
  const { current, proving } = state
  if (proving?.bootId === bootId) {
    if (proving.afterPing !== undefined && ping <= proving.afterPing) return undefined
    const { sequence, uptimeMs } = proving
    const left = current && current.bootId !== bootId ? [...state.left, current.bootId].slice(-LEFT_KEPT) : state.left
    return { current: { bootId, sequence, uptimeMs, offsetMs: uptimeMs - nowMs }, left }
  }
  return current?.bootId === bootId ? state : undefined
}
