// Nodes that no command reaches, so that only a bundle onReceipt helps: told to the publisher, not too often, and not
// before this authority may speak.
import type { Clock } from '../../base/clock.ts'
import type { Reign } from '../term/reign.ts'

/** The same need of the same node is told at most this often. */
const NEED_SPACING_MS = 10_000

export type OnReceiptNeed = 'TermBehind' | 'MarksLost' | 'BundleLost'

export interface OnReceiptNeeds {
  /** The node's telemetry shows it. */
  tell(node: string, why: OnReceiptNeed): void
  /** The reign may speak now: what waited is told. */
  flush(): void
  forget(node: string): void
}

export function onReceiptNeeds(options: {
  clock: Clock
  reign: Pick<Reign, 'silence'>
  needsOnReceipt(node: string, why: OnReceiptNeed): void
}): OnReceiptNeeds {
  const { clock, reign } = options
  /** When each need was last told, Clock.monotonic(); `waiting`: not yet. */
  const told = new Map<string, Map<OnReceiptNeed, number | 'waiting'>>()

  const tell = (node: string, why: OnReceiptNeed): void => {
    const silence = reign.silence(node)
    if (silence === 'Superseded') return
    const needs = told.get(node) ?? new Map<OnReceiptNeed, number | 'waiting'>()
    told.set(node, needs)
    const before = needs.get(why)
    if (typeof before === 'number' && clock.monotonic() - before < NEED_SPACING_MS) return
    needs.set(why, silence ? 'waiting' : clock.monotonic())
    if (!silence) options.needsOnReceipt(node, why)
  }

  return {
    tell,
    flush() {
      for (const [node, needs] of told) for (const [why, when] of needs) if (when === 'waiting') tell(node, why)
    },
    forget: (node) => void told.delete(node),
  }
}
