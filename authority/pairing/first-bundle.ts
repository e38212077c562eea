import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import { armorBundle } from '../../protocol/bundle/armor.ts'

/** The node was enrolled a moment ago: its controller has still to give it an address and write its bundle. */
const AGAIN_MS = 100
/** Longer than that takes: something else is missing, a hub for instance. */
const STRANGE_MS = 5_000

/** The armored first bundle, as soon as there is one. Rejects only with the abort's reason: the machine holds the line. */
export async function awaitFirstBundle(
  options: { clock: Clock; log: Logger; firstBundle(node: string): Promise<Uint8Array> },
  node: string,
  signal: AbortSignal,
): Promise<string> {
  const { clock, log } = options
  const startedMs = clock.monotonic()
  let told = false
  for (;;) {
    signal.throwIfAborted()
    try {
      return armorBundle(await options.firstBundle(node))
    } catch (error) {
      if (!told && clock.monotonic() - startedMs > STRANGE_MS) {
        told = true
        log.warn({ node, why: (error as Error).message }, 'enrolled, but there is no bundle for it yet')
      }
      await clock.sleep(AGAIN_MS, signal)
    }
  }
}
