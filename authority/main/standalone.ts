// A fleet from a folder: one authority, one state folder, no cluster.
import { realpathSync } from 'node:fs'
import { resolve } from 'node:path'
import { Registry as PromRegistry } from 'prom-client'
import type { Clock } from '../../base/clock.ts'
import { diskFiles } from '../../base/disk-files.ts'
import { hostTransport } from '../../base/host-transport.ts'
import { holdAbstractLock } from '../../base/lock.ts'
import type { Logger } from '../../base/log.ts'
import type { RandomBytes } from '../../base/random.ts'
import type { Transport } from '../../base/transport.ts'
import { type FilesStoreOptions, openFilesStore } from '../../stores/files/store.ts'
import type { AdminBackend } from '../admin/backend.ts'
import { type AdminServer, serveAdmin } from '../admin/server.ts'
import { backupState } from '../backup/backup.ts'
import { brakeFile } from '../brake.ts'
import { markInFolder, refuseMoved } from '../migrate/mark.ts'
import { type Authority, startAuthority } from './authority.ts'
import { adminBackend } from './backend.ts'
import { type Observability, serveObservability } from './observability.ts'

export interface StandaloneOptions {
  fleet: string
  state: string
  transport: Transport
  clock: Clock
  random: RandomBytes
  log: Logger
  version: string
  metricsPort: number
  /** 127.0.0.1 by default. */
  metricsAddress?: string
  listenMs?: number
  /** Address of this machine at which others call to join; nobody can when absent. */
  pairingAddress?: string
  /** Interfaces on which machines are told where to call; none by default. */
  beacon?: readonly string[]
  /** How the folder is read and watched; default: as its file system asks for. */
  folder?: Pick<FilesStoreOptions, 'fs' | 'watch'>
  /** Another place for the admin socket, open to a group. */
  adminSocket?: string
  /** What is told when the metrics port is taken: the authority runs without it. */
  onMetricsPortTaken(port: number): void
}

export interface Standalone {
  authority: Authority
  backend: AdminBackend
  admin: AdminServer
  observability?: Observability
  /** Resolves when everything is written and let go; tunnels and machines run on. */
  stop(): Promise<void>
}

/**
 * Rejects with FileLocked when another authority holds the state or the folder, with AuthorityMoved or MoveUnfinished
 * when this state is not where the authority is at home.
 */
export async function startStandalone(options: StandaloneOptions, signal: AbortSignal): Promise<Standalone> {
  const { clock, random, log } = options
  const fleet = resolve(options.fleet)
  const store = await openFilesStore({
    ...options.folder,
    ...{ root: fleet, state: options.state, clock, random, log, lock: holdAbstractLock },
  })
  const state = realpathSync(options.state)
  const files = diskFiles(state)
  const metrics = new PromRegistry()
  let authority: Authority
  try {
    refuseMoved(await markInFolder(files))
    authority = await startAuthority(
      {
        store,
        events: store.events,
        keepRun: (run) => store.history.append(run.key, run),
        files,
        transport: options.transport,
        clock,
        random,
        log,
        metrics,
        listenMs: options.listenMs,
        ...(options.beacon && { beacon: options.beacon }),
        ...(options.pairingAddress !== undefined && {
          pairing: { transport: hostTransport(clock), address: options.pairingAddress },
        }),
      },
      signal,
    )
  } catch (error) {
    await store.close()
    throw error
  }
  const backend = adminBackend({
    authority,
    events: store.events,
    history: store.history,
    brakeSource: brakeFile(files),
    version: options.version,
    fleet,
    state,
    async backup(path, passphrase) {
      await authority.audit.flush()
      return await backupState(state, path, passphrase, { clock, random })
    },
  })
  const admin = await serveAdmin(state, backend, log, options.adminSocket)
  const observability = await serveObservability({
    port: options.metricsPort,
    ...(options.metricsAddress !== undefined && { address: options.metricsAddress }),
    metrics,
    checks() {
      const health = backend.health()
      const store = !health.store.synced
        ? 'the folder has not been read yet'
        : health.store.unreadable && `the folder cannot be read: ${health.store.unreadable}`
      const superseded = health.superseded ? 'this authority is not the newest' : undefined
      const serving = health.serving ? undefined : (health.servingReason ?? 'not serving')
      return [
        { name: 'folder', why: store },
        { name: 'newest', why: superseded },
        { name: 'serving', why: serving },
      ]
    },
  }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE') throw error
    options.onMetricsPortTaken(options.metricsPort)
    return undefined
  })
  return {
    authority,
    backend,
    admin,
    observability,
    async stop() {
      await admin.close()
      await observability?.close()
      await authority.stop()
      await store.close()
    },
  }
}
