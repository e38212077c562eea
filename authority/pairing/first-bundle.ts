import type { Clock } from '../../base/clock.ts'
import { armorBundle } from '../../protocol/bundle/armor.ts'

/** The node was enrolled a moment ago: its controller has still to give it an address and write its bundle. */
const AGAIN_MS = 100
/** Longer than anything but a mistake; the ceremony then says what keeps it. */
const WITHIN_MS = 20_000

/** The armored first bundle, as soon as there is one. Rejects with what kept it, or with the abort's reason. */
export async function awaitFirstBundle(
  options: { clock: Clock; firstBundle(node: string): Promise<Uint8Array> },
  node: string,
  signal: AbortSignal,
): Promise<string> {
  const { clock } = options
  const startedMs = clock.monotonic()
  for (;;) {
    signal.throwIfAborted()
    try {
      return armorBundle(await options.firstBundle(node))
    } catch (error) {
      if (clock.monotonic() - startedMs > WITHIN_MS) throw error
      await clock.sleep(AGAIN_MS, signal)
    }
  }
}
