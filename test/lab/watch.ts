// What `npm run lab up` shows until the fleet has converged: the same view as `ppn up`.
import { setTimeout as sleep } from 'node:timers/promises'
import { processIo } from '../../cli/io.ts'
import { fleetReadiness } from '../../cli/up/readiness.ts'
import { lineView, screenView } from '../../cli/up/view.ts'
import type { Lab } from './lab.ts'

const LOOK_MS = 200
/** Keys, bundles, handshakes and first telemetry take seconds; a machine at work on other things takes minutes. */
const WITHIN_MS = 180_000

/** False when the fleet is not Ready in time. Rejects with the signal's reason. */
export async function waitUntilReady(lab: Lab, signal: AbortSignal): Promise<boolean> {
  const io = processIo(signal, () => {})
  const view = io.terminal ? screenView(io, () => process.stdout.rows ?? 24) : lineView(io)
  const client = await lab.fleet.admin()
  const deadline = Date.now() + WITHIN_MS
  try {
    for (;;) {
      signal.throwIfAborted()
      const [objects, health, holds] = await Promise.all([client.objects({}), client.health(), client.holds()])
      const { problems } = health.store
      const notices = [
        ...(health.servingReason === undefined ? [] : [`not serving yet: ${health.servingReason}`]),
        ...holds.map((hold) => `held: ${hold.message}`),
      ]
      view.show({ fleet: lab.fleet.paths.fleet, objects, problems, notices })
      if (objects.length > 0 && fleetReadiness(objects, problems).ready) return true
      if (Date.now() > deadline) return false
      await sleep(LOOK_MS)
    }
  } finally {
    view.end()
  }
}
