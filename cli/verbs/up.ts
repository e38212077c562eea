import { existsSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { KINDS } from '../../api/meta.ts'
import type { PpnObject } from '../../api/v1alpha1/index.ts'
import { type Standalone, startStandalone } from '../../authority/main/standalone.ts'
import { hostTransport } from '../../base/host-transport.ts'
import { createLogger, silentLogger } from '../../base/log.ts'
import { loopbackTransport } from '../../base/loopback-transport.ts'
import { systemRandom } from '../../base/random.ts'
import { validateFolder } from '../../stores/files/validate.ts'
import { readState } from '../../stores/sqlite/read-state.ts'
import { parseDuration } from '../duration.ts'
import { CliError, EXIT, type ExitCode } from '../exit.ts'
import type { Io } from '../io.ts'
import { healthNotices, holdsNotice } from '../output/notices.ts'
import { problemText } from '../output/problems.ts'
import { stateFolderFor } from '../state.ts'
import { fleetReadiness } from '../up/readiness.ts'
import { lineView, type Snapshot, screenView, type View } from '../up/view.ts'
import { ppnVersion } from '../version.ts'

export interface UpOptions {
  state?: string
  simulate?: boolean
  once?: boolean
  timeout: string
  metricsPort: string
  pairingAddress?: string
  beacon?: string[]
  plain?: boolean
  logLevel?: string
  logFormat?: 'text' | 'json'
}

/** Every address of this machine. */
const EVERYWHERE = '::'

/** The first octet of the mesh, which the loopback has no room for: as in force, else as declared, else 10. */
async function firstOctet(io: Io, dir: string, state: string): Promise<number> {
  const recorded = readState(state)?.records.find((record) => record.key === 'mesh/cidr')?.value
  const { objects } = recorded === undefined ? await validateFolder(dir, io.clock) : { objects: [] }
  const mesh = objects.find((o) => o.kind === 'Mesh') as PpnObject<'Mesh'> | undefined
  return Number(String(recorded ?? mesh?.spec.cidr ?? '10').split('.')[0])
}

function snapshotOf({ backend }: Standalone, fleet: string): Snapshot {
  const health = backend.health()
  const notices = [...healthNotices(health), ...holdsNotice(backend.holds())]
  const objects = KINDS.flatMap((kind) => backend.objects({ kind }))
  return { fleet, objects, problems: health.store.problems, notices }
}

/** Shows what changes, until everything is Ready (--once) or the person stops it. */
async function watch(io: Io, standalone: Standalone, view: View, fleet: string, options: UpOptions): Promise<ExitCode> {
  const { store } = standalone.authority.world
  const { promise, resolve: end } = Promise.withResolvers<ExitCode>()
  const timeoutMs = parseDuration(options.timeout)
  const look = () => {
    const snapshot = snapshotOf(standalone, fleet)
    view.show(snapshot)
    // The first reading may be in before anything has been reconciled.
    if (
      options.once &&
      standalone.authority.serving.downlink() &&
      fleetReadiness(snapshot.objects, snapshot.problems).ready
    )
      end(EXIT.ok)
  }
  let scheduled = false
  const soon = () => {
    if (scheduled) return
    scheduled = true
    io.clock.after(20, () => {
      scheduled = false
      look()
    })
  }
  const off = [store.subscribe(soon), standalone.authority.brake.subscribe(soon)]
  const timer = options.once
    ? io.clock.after(timeoutMs, () => {
        const { objects, problems } = snapshotOf(standalone, fleet)
        view.say(`not Ready within ${options.timeout}:`)
        for (const w of fleetReadiness(objects, problems).waiting) view.say(`  ${w.name}  ${w.reason}: ${w.message}`)
        for (const problem of problems) view.say(problemText(io, problem, fleet).trimEnd())
        end(EXIT.no)
      })
    : undefined
  const stopped = () => end(options.once ? EXIT.failed : EXIT.ok)
  if (io.signal.aborted) stopped()
  io.signal.addEventListener('abort', stopped, { once: true })
  look()
  try {
    return await promise
  } finally {
    timer?.cancel()
    for (const unsubscribe of off) unsubscribe()
  }
}

/** `ppn up DIR`: the authority of the fleet that a folder declares; with --simulate its machines as well. */
export async function up(io: Io, dir: string, options: UpOptions): Promise<ExitCode> {
  const fleet = resolve(io.cwd, dir)
  if (!existsSync(fleet) || !statSync(fleet).isDirectory())
    throw new CliError(EXIT.failed, `there is no folder ${dir}`, 'e.g. ppn up examples/office --simulate')
  const metricsPort = Number(options.metricsPort)
  if (!Number.isInteger(metricsPort) || metricsPort < 0 || metricsPort > 65535)
    throw new CliError(EXIT.usage, `"${options.metricsPort}" is not a port`)
  parseDuration(options.timeout)
  const state = stateFolderFor(io, dir, options.state)
  const screen = io.terminal && !options.plain
  // A screen that is redrawn has no room for log lines, unless asked for.
  const level = options.logLevel ?? (screen ? 'silent' : 'warn')
  const log =
    level === 'silent' ? silentLogger() : createLogger({ level, format: options.logFormat ?? 'text', write: io.err })
  const transport = options.simulate
    ? loopbackTransport({ firstOctet: await firstOctet(io, fleet, state), clock: io.clock })
    : hostTransport()

  const ending = new AbortController()
  const view = screen ? screenView(io, () => process.stdout.rows ?? 24, options.simulate) : lineView(io)
  const version = ppnVersion()
  const standalone = await startStandalone(
    {
      fleet,
      state,
      transport,
      clock: io.clock,
      random: systemRandom,
      log,
      version,
      metricsPort,
      // A simulated fleet has nobody to let in, unless asked to.
      pairingAddress: options.pairingAddress ?? (options.simulate ? undefined : EVERYWHERE),
      ...(options.beacon && { beacon: options.beacon }),
      onMetricsPortTaken: (port) =>
        view.say(`port ${port} is taken: no metrics are served; choose one with --metrics-port`),
    },
    ending.signal,
  )
  view.say(`authority of ${fleet}, state in ${state}`)
  if (standalone.observability) view.say(`metrics on http://127.0.0.1:${standalone.observability.port}/metrics`)
  const simulation = options.simulate
    ? await (await import('../up/simulate.ts')).simulateFleet(
        {
          standalone,
          folder: join(state, 'simulated'),
          fleet,
          clock: io.clock,
          log,
          version,
          say: (line) => view.say(line),
        },
        ending.signal,
      )
    : undefined
  try {
    return await watch(io, standalone, view, dir, options)
  } finally {
    view.end()
    await simulation?.stop()
    await standalone.stop()
    ending.abort(new Error('the authority stops'))
  }
}
