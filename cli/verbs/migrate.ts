// `ppn migrate`: the authority of a running fleet moves from a folder to a cluster, or back. docs/migrate.md.
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { connectAdmin } from '../../authority/admin/client.ts'
import { cancelMove, type Moved, moveAuthority } from '../../authority/migrate/move.ts'
import type { Place } from '../../authority/migrate/place.ts'
import { createLogger } from '../../base/log.ts'
import { randomId, systemRandom } from '../../base/random.ts'
import { CliError, EXIT, type ExitCode } from '../exit.ts'
import type { Io } from '../io.ts'
import { stateFolderFor } from '../state.ts'
import { ppnVersion } from '../version.ts'
import type { ClusterPlace } from './migrate-cluster.ts'

export interface MigrateOptions {
  toCluster?: boolean
  toFolder?: boolean
  state?: string
  kubeconfig?: string
  context?: string
  namespace: string
  secret: string
  dryRun?: boolean
  withDeletions?: boolean
  cancel?: boolean
  logLevel?: string
}

export async function migrate(io: Io, dir: string, options: MigrateOptions): Promise<ExitCode> {
  if (options.toCluster === options.toFolder)
    throw new CliError(EXIT.usage, 'say where to: --to-cluster or --to-folder', 'see docs/migrate.md')
  const fleet = resolve(io.cwd, dir)
  const state = stateFolderFor(io, dir, options.state)
  if (await connectAdmin(state))
    throw new CliError(EXIT.failed, `an authority runs on ${state}`, 'stop it first; nothing else of the fleet stops')
  const { folderPlace } = await import('./migrate-folder.ts')
  const folder = await folderPlace({ fleet, state, clock: io.clock })
  try {
    await onCluster(io, { ...options, lookOnly: options.dryRun ?? false }, (cluster) =>
      act(io, options.toCluster ? [folder, cluster] : [cluster, folder], options),
    )
  } finally {
    await folder.close()
  }
  return EXIT.ok
}

/**
 * `ppn restore --cluster`: what the API server holds came out of an older etcd. The authority that leads next takes from
 * telemetry what it has lost.
 */
export async function restoreOnCluster(io: Io, options: Omit<ClusterFlags, 'lookOnly'>): Promise<ExitCode> {
  await onCluster(io, { ...options, lookOnly: false }, async (cluster) => {
    if ((await cluster.occupied()) === undefined)
      throw new CliError(EXIT.failed, `no authority was in ${cluster.name}`, 'see -n, --context and --kubeconfig')
    await cluster.setRestored()
    io.out(`${cluster.name}: restored\n`)
    io.out('start the authority there: until a node has been heard it is sent only PING, ISOLATE and SEVER\n')
  })
  return EXIT.ok
}

interface ClusterFlags {
  kubeconfig?: string
  context?: string
  namespace: string
  secret: string
  lookOnly: boolean
  logLevel?: string
}

/** Holds the place for as long as `use` takes. */
async function onCluster(io: Io, flags: ClusterFlags, use: (place: ClusterPlace) => Promise<void>): Promise<void> {
  const { clusterPlace } = await import('./migrate-cluster.ts')
  const { connectKube } = await import('../../stores/kube/connect.ts')
  const { clock } = io
  const { kubeconfig, context, namespace, secret, lookOnly, logLevel = 'error' } = flags
  const connection = await connectKube({
    ...(kubeconfig !== undefined && { kubeconfig: resolve(io.cwd, kubeconfig) }),
    ...(context !== undefined && { context }),
    ...{ clock, userAgent: `ppn/${ppnVersion()} migrate` },
  })
  try {
    const place = await clusterPlace(
      {
        ...{ api: connection, server: connection.server, clock, random01: Math.random, namespace, secret, lookOnly },
        log: createLogger({ level: logLevel, format: 'text', write: io.err }),
        identity: `migrate_${hostname()}_${randomId(systemRandom).slice(0, 8)}`,
      },
      io.signal,
    )
    try {
      await use(place)
    } finally {
      await place.close()
    }
  } finally {
    connection.close()
  }
}

async function act(io: Io, [from, to]: [Place, Place], options: MigrateOptions): Promise<void> {
  if (options.cancel) {
    await cancelMove(from, to, io.clock)
    return io.out(`called off: the authority is at home in ${from.name}, as before\n`)
  }
  const { clock } = io
  const { dryRun, withDeletions } = options
  const moved = await moveAuthority(from, to, { clock, random: systemRandom, dryRun, withDeletions })
  io.out(report(moved, to, options))
}

function report({ what }: Moved, to: Place, options: MigrateOptions): string {
  const next = options.toCluster
    ? `start it there: kubectl -n ${options.namespace} scale deployment/ppn-authority --replicas=2`
    : 'start it there: systemctl start ppn-authority, or ppn up'
  if (!what) return `it had moved to ${to.name} already; ${next}\n`
  const { objects, facts, registry, auditHead, keys, brake } = what.state
  const { declare, kept } = what.plan
  const lines = Buffer.from(registry).toString('utf8').split('\n').length - 1
  return [
    `declarations: ${declare.length} to be written, ${kept.length} there already`,
    `acts: ${objects.filter(({ act }) => act).length}; facts: ${facts.length}; keys: ${[...keys.keys()].sort().join(', ')}`,
    `registry: ${lines} lines; audit: goes on after line ${auditHead.count}`,
    `brake: ${brake === undefined ? 'not set' : `set: ${brake}`}`,
    options.dryRun ? 'dry run: nothing was changed' : `moved to ${to.name}; ${next}`,
  ]
    .map((line) => `${line}\n`)
    .join('')
}
