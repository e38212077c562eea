// `ppn authority`: the authority as its service runs it: no view, log lines, and systemd told.

import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { KINDS } from '../../api/meta.ts'
import { SERVICE } from '../../authority/admin/socket-path.ts'
import { type Standalone, startStandalone } from '../../authority/main/standalone.ts'
import { hostTransport } from '../../base/host-transport.ts'
import { createLogger } from '../../base/log.ts'
import { systemProcesses } from '../../base/processes.ts'
import { systemRandom } from '../../base/random.ts'
import { keepWatchdog, serviceManager } from '../../base/service-manager.ts'
import { EXIT, type ExitCode } from '../exit.ts'
import type { Io } from '../io.ts'
import { fleetReadiness } from '../up/readiness.ts'
import { ppnVersion } from '../version.ts'

export interface AuthorityOptions {
  fleet: string
  state?: string
  metricsPort: string
  metricsAddress?: string
  pairingAddress: string
  beacon?: string[]
  logLevel?: string
  logFormat?: 'text' | 'json'
}

/** What systemd shows is looked at this often. */
const STATUS_EVERY_MS = 10_000

export async function authority(io: Io, options: AuthorityOptions): Promise<ExitCode> {
  const log = createLogger({ level: options.logLevel ?? 'info', format: options.logFormat ?? 'text', write: io.err })
  const manager = serviceManager({ processes: systemProcesses(), log, env: { ...io.env }, pid: process.pid })
  const ending = new AbortController()
  const { fleet, state = SERVICE.state } = options
  const standalone = await startStandalone(
    {
      ...{
        fleet,
        state,
        transport: hostTransport(),
        clock: io.clock,
        random: systemRandom,
        log,
        version: ppnVersion(),
      },
      metricsPort: Number(options.metricsPort),
      ...(options.metricsAddress !== undefined && { metricsAddress: options.metricsAddress }),
      pairingAddress: options.pairingAddress,
      ...(options.beacon && { beacon: options.beacon }),
      onMetricsPortTaken: (port) => log.warn({ port }, 'the port is taken: no metrics are served'),
      // The state folder is closed to the group that may ask; the runtime folder is not.
      ...(state === SERVICE.state && existsSync(dirname(SERVICE.socket)) && { adminSocket: SERVICE.socket }),
    },
    ending.signal,
  )
  try {
    log.info({ fleet, state }, 'the authority is up')
    let told = statusLine(standalone)
    await manager.ready(told)
    keepWatchdog(
      { manager, clock: io.clock, log, alive: async () => standalone.backend.health() !== undefined },
      ending.signal,
    )
    while (!io.signal.aborted) {
      await io.clock.sleep(STATUS_EVERY_MS, io.signal).catch(() => {})
      const now = statusLine(standalone)
      if (now !== told && !io.signal.aborted) await manager.status(now)
      told = now
    }
    await manager.stopping()
  } finally {
    await standalone.stop()
    ending.abort(new Error('the authority stops'))
  }
  return EXIT.ok
}

/** The one line that `systemctl status` shows. */
function statusLine({ backend }: Standalone): string {
  const health = backend.health()
  if (health.brake.set) return `braked: ${health.brake.reason ?? 'no reason given'}`
  if (health.superseded) return 'superseded: nodes obey a newer authority'
  if (health.store.unreadable) return `the folder cannot be read: ${health.store.unreadable}`
  const objects = KINDS.flatMap((kind) => backend.objects({ kind }))
  const { ready, waiting } = fleetReadiness(objects, health.store.problems)
  const errors = health.store.problems.filter(({ severity }) => severity === 'error').length
  const faults = errors > 0 ? `; ${errors} errors in the folder: ppn validate` : ''
  const what = ready ? 'the fleet is Ready' : `${waiting.length} of ${objects.length} objects not Ready${faults}`
  return health.serving ? `term ${health.term}; ${what}` : `not serving: ${health.servingReason ?? 'starting'}`
}
