// A fleet from a cluster: one of several replicas leads, the others keep their copies warm.
//
//   start -> standing by --Lease--> catching up -> leading --lost--> over: the process ends
//
// Standing by, a replica reads and writes nothing. Leading, it looks before each packet and each write whether it still
// leads (gated-transport.ts, instrumented.ts), so that one that was stopped or cut off acts no more from its first
// instruction on, whatever was under way in it.
import { randomUUID } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { hostname } from 'node:os'
import { Registry as PromRegistry } from 'prom-client'
import type { Clock } from '../../base/clock.ts'
import { PpnError } from '../../base/errors.ts'
import { hostTransport } from '../../base/host-transport.ts'
import type { Logger } from '../../base/log.ts'
import type { RandomBytes } from '../../base/random.ts'
import type { Transport } from '../../base/transport.ts'
import { connectKube } from '../../stores/kube/connect.ts'
import { kubeEvents } from '../../stores/kube/events.ts'
import { countedApi, leaderApi } from '../../stores/kube/instrumented.ts'
import { AUTHORITY_LEASE, type Leadership, lead } from '../../stores/kube/lease.ts'
import { meshBrake } from '../../stores/kube/mesh-brake.ts'
import { pairingCodes } from '../../stores/kube/pairing-codes.ts'
import { registryLines } from '../../stores/kube/registry-lines.ts'
import { type KubeStore, openKubeStore } from '../../stores/kube/store.ts'
import type { AdminBackend } from '../admin/backend.ts'
import { type AdminServer, serveAdmin } from '../admin/server.ts'
import { type AuditStream, auditStream } from '../audit-stream.ts'
import { type Brake, brakeAt } from '../brake.ts'
import { AUTHORITY_FILE, readKeys } from '../keys/keys.ts'
import { ownFacts } from '../keys/whose.ts'
import { gatedTransport } from '../term/gated-transport.ts'
import { type Authority, startAuthority } from './authority.ts'
import { adminBackend } from './backend.ts'
import { clusterChecks } from './cluster-checks.ts'
import { clusterFiles, mountedFiles } from './cluster-files.ts'
import { kubeMetrics } from './kube-metrics.ts'
import { type Observability, serveObservability } from './observability.ts'
import { recentEvents } from './recent-events.ts'
import { standbyBackend } from './standby.ts'

export interface ClusterOptions {
  /** Path of a kubeconfig; by default the pod's service account, else as kubectl finds one. */
  kubeconfig?: string
  context?: string
  /** Of records, registry and Lease. */
  namespace: string
  /** The authority node that this replica runs on; the first of the Mesh's when absent. */
  node?: string
  /** Folder of the mounted keys. */
  keys: string
  /** Folder of the admin socket; nothing in it has to survive. */
  state: string
  transport: Transport
  clock: Clock
  random: RandomBytes
  log: Logger
  version: string
  metricsPort: number
  /** 127.0.0.1 by default. */
  metricsAddress?: string
  /** Takes lines of the audit; resolves when they are out of this process's hands. */
  audit(bytes: Uint8Array): Promise<void>
  /**
   * Who this replica is in the Lease. Two processes of one name must never run at the same time: the second one takes
   * over at once, without waiting for the first one's Lease to run out. Default: a name nobody else has.
   */
  identity?: string
  /** As in AuthorityOptions; a new leader on a cluster speaks at once. */
  listenMs?: number
  /** Address of this machine at which others call to join; nobody can when absent. */
  pairingAddress?: string
  beacon?: readonly string[]
}

export interface Clustered {
  identity: string
  observability: Observability
  /** The admin socket's: of a standby, or of the leader. */
  backend: AdminBackend
  /** While this replica leads. */
  authority(): Authority | undefined
  /** Whether this replica leads at this very moment. */
  leads(): boolean
  /** Resolves when this replica leads and its authority is up. Rejects as `over` does. */
  leading: Promise<Authority>
  /**
   * Never resolves. Rejects with LeadershipLost, or with why it could not start: then the process is to end at once,
   * without `stop`.
   */
  over: Promise<never>
  /** Stops what leads, then gives the Lease back. Resolves when everything is let go. */
  stop(): Promise<void>
}

/**
 * Resolves when metrics, health and the keys are there; waits for the API server and for the Lease behind that. Rejects
 * with KubeConfigUnusable, NoKubeConfig, KeysNotMounted, KeysUnreadable, and EADDRINUSE of the metrics port.
 */
export async function startOnCluster(options: ClusterOptions, signal: AbortSignal): Promise<Clustered> {
  const { clock, log, random, namespace } = options
  const identity = options.identity ?? `${hostname()}_${randomUUID()}`
  const random01 = () => Buffer.from(random(4)).readUInt32BE() / 2 ** 32
  const keyFiles = mountedFiles(options.keys)
  if (!(await keyFiles.read(AUTHORITY_FILE))) throw new PpnError('KeysNotMounted', { folder: options.keys })
  const keys = await readKeys(keyFiles)
  const connection = await connectKube({
    ...(options.kubeconfig !== undefined && { kubeconfig: options.kubeconfig }),
    ...(options.context !== undefined && { context: options.context }),
    ...{ clock, userAgent: `ppn-authority/${options.version}` },
  })

  const ending = new AbortController()
  const life = AbortSignal.any([signal, ending.signal])
  const over = Promise.withResolvers<never>()
  over.promise.catch(() => {})
  const leading = Promise.withResolvers<Authority>()
  leading.promise.catch(() => {})
  let stopping = false
  const fail = (error: unknown) => {
    if (stopping) return
    over.reject(error)
    leading.reject(error)
  }

  let store: KubeStore | undefined
  let leadership: Leadership | undefined
  let authority: Authority | undefined
  let stream: AuditStream | undefined
  let admin: AdminServer | undefined
  let holder: string | undefined
  let backend: AdminBackend | undefined
  const holds = () => leadership?.holds() ?? false

  const checks = () => clusterChecks({ store, clock, holder, leads: holds(), backend: authority && backend })
  const registers = new PromRegistry()
  const metrics = kubeMetrics({
    ...{ registers, lease: AUTHORITY_LEASE, host: new URL(connection.server).host },
    watchAgeS(kind) {
      const heardMs = store?.heard().get(kind) ?? 0
      return heardMs === 0 ? undefined : (clock.monotonic() - heardMs) / 1000
    },
    ready: () => checks().every(({ why }) => why === undefined),
  })
  const observability = await serveObservability({
    port: options.metricsPort,
    ...(options.metricsAddress !== undefined && { address: options.metricsAddress }),
    ...{ metrics: registers, checks },
  }).catch((error: unknown) => {
    connection.close()
    throw error
  })
  log.info({ address: options.metricsAddress ?? '127.0.0.1', port: observability.port }, 'health and metrics')
  const api = countedApi(connection, metrics)
  const own = leaderApi(api, holds)
  const brakeSource = meshBrake({ api })
  const annotation = brakeAt({ source: brakeSource, clock })
  const brake = leadersBrake(annotation, holds)
  const events = recentEvents(kubeEvents({ api: own, clock, log, instance: identity }, life), clock)
  const version = {
    ...{ version: options.version, pid: process.pid, meshId: keys.meshId, authorityId: keys.authorityId },
    ...{ fleet: connection.server, state: options.state },
  }

  /** Resolves with the store read and this replica's socket open. */
  const standBy = async (): Promise<KubeStore> => {
    // First: what is asked all the time is what finds connections that died without a word, also under the first lists.
    annotation.watch(life)
    const opened = await openKubeStore({ api: own, namespace, clock, random01, log }, life)
    store = opened
    backend = standbyBackend({ store: opened, keys, brake, brakeSource, version, holder: () => holder })
    await mkdir(options.state, { recursive: true, mode: 0o700 })
    admin = await serveAdmin(options.state, current, log)
    await opened.start(life)
    log.info({ identity, server: connection.server }, 'standing by')
    return opened
  }
  const reign = async (warm: KubeStore): Promise<void> => {
    const onHolder = (seen: string | undefined) => {
      holder = seen
    }
    leadership = await lead({ api, namespace, name: AUTHORITY_LEASE, identity, clock, random01, log, onHolder }, life)
    const lost = leadership.signal
    metrics.leading(true)
    lost.addEventListener('abort', () => {
      metrics.leading(false)
      fail(new PpnError('LeadershipLost', { why: String((lost.reason as Error).cause) }))
    })
    await warm.catchUp()
    await ownFacts(warm.records, keys)
    const registry = registryLines(own, namespace)
    const files = clusterFiles({ records: warm.records, registry, keys: keyFiles, onRegistryLost: fail })
    // A container that is started again has the same identity, and may go on from the same line.
    const instance = `${identity}_${Buffer.from(random(4)).toString('hex')}`
    const audited = auditStream({ records: warm.records, clock, log, write: options.audit, instance }, life)
    stream = audited
    const started = await startAuthority(
      {
        ...{ store: warm, events, files, clock, random, log, metrics: registers, brake },
        auditLog: audited,
        pairingCodes: pairingCodes(api, namespace),
        transport: gatedTransport(options.transport, holds),
        listenMs: options.listenMs ?? 0,
        ...(options.node !== undefined && { node: options.node }),
        ...(options.beacon && { beacon: options.beacon }),
        ...(options.pairingAddress !== undefined && {
          pairing: { transport: gatedTransport(hostTransport(clock), holds), address: options.pairingAddress },
        }),
      },
      AbortSignal.any([life, lost]),
    )
    authority = started
    backend = adminBackend({
      ...{ authority: started, events, brakeSource, version: options.version },
      ...{ fleet: connection.server, state: options.state, history: { list: () => [] } },
      backup: () => Promise.reject(new PpnError('NotOnCluster', { what: 'a backup of the state folder' })),
    })
    log.info({ identity, term: started.world.authority.term() }, 'the authority leads')
    leading.resolve(started)
  }
  // Whoever asks gets the backend of the moment.
  const current = new Proxy({} as AdminBackend, { get: (_, name) => backend?.[name as keyof AdminBackend] })
  const run = standBy().then(reign).catch(fail)

  return {
    ...{ identity, observability, backend: current },
    authority: () => authority,
    leads: holds,
    leading: leading.promise,
    over: over.promise,
    async stop() {
      stopping = true
      // What leads ends while it still may write: the audit's head is its last word.
      await authority?.stop()
      await stream?.checkpoint().catch((error: Error) => log.warn({ error: error.message }, 'no last checkpoint'))
      await leadership?.release()
      ending.abort(new Error('the authority stops'))
      await run
      await admin?.close()
      await store?.close()
      await observability.close()
      connection.close()
    },
  }
}

/** Also asks whether we lead, at the very moment of the answer. It is watched from the start: `startAuthority` need not. */
function leadersBrake(brake: Brake, holds: () => boolean): Brake {
  return { ...brake, guard: async () => (await brake.guard()) && holds(), watch: () => {} }
}
