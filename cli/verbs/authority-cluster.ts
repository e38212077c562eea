// `ppn authority --cluster`: one replica of the authority of a cluster, in the foreground.
import { open } from 'node:fs/promises'
import { SERVICE_RUNTIME } from '../../authority/admin/socket-path.ts'
import { startOnCluster } from '../../authority/main/on-cluster.ts'
import { hostTransport } from '../../base/host-transport.ts'
import { createLogger } from '../../base/log.ts'
import { loopbackTransport } from '../../base/loopback-transport.ts'
import { systemRandom } from '../../base/random.ts'
import { CliError, EXIT, type ExitCode } from '../exit.ts'
import type { Io } from '../io.ts'
import { ppnVersion } from '../version.ts'

export interface ClusterVerbOptions {
  kubeconfig?: string
  context?: string
  namespace: string
  node?: string
  keys: string
  state?: string
  identity?: string
  audit?: string
  loopback?: boolean
  metricsPort: string
  metricsAddress: string
  pairingAddress: string
  beacon?: string[]
  logLevel?: string
  logFormat?: 'text' | 'json'
}

/**
 * Ends with 0 when asked to stop, having given the Lease back. When leadership is lost it ends at once, with 2: what is
 * under way in a deposed leader is not waited for.
 */
export async function authorityOnCluster(io: Io, options: ClusterVerbOptions): Promise<ExitCode> {
  const log = createLogger({ level: options.logLevel ?? 'info', format: options.logFormat ?? 'text', write: io.err })
  const audit = options.audit === undefined ? undefined : await open(options.audit, 'a', 0o600)
  const ending = new AbortController()
  const clustered = await startOnCluster(
    {
      ...(options.kubeconfig !== undefined && { kubeconfig: options.kubeconfig }),
      ...(options.context !== undefined && { context: options.context }),
      ...(options.node !== undefined && { node: options.node }),
      ...(options.identity !== undefined && { identity: options.identity }),
      ...(options.beacon && { beacon: options.beacon }),
      namespace: options.namespace,
      keys: options.keys,
      state: options.state ?? SERVICE_RUNTIME,
      ...{ clock: io.clock, random: systemRandom, log, version: ppnVersion() },
      transport: options.loopback ? loopbackTransport({ clock: io.clock }) : hostTransport(io.clock),
      metricsPort: port(options.metricsPort),
      metricsAddress: options.metricsAddress,
      ...(!options.loopback && { pairingAddress: options.pairingAddress }),
      async audit(bytes) {
        if (!audit) return io.out(Buffer.from(bytes).toString('utf8'))
        await audit.writeFile(bytes)
        await audit.datasync()
      },
    },
    ending.signal,
  )
  const { promise: asked, resolve } = Promise.withResolvers<void>()
  if (io.signal.aborted) resolve()
  io.signal.addEventListener('abort', () => resolve(), { once: true })
  try {
    await Promise.race([asked, clustered.over])
  } catch (error) {
    const { message, code, hint } = error as { message: string; code?: string; hint?: string }
    log.error({ code, hint }, message)
    io.exitNow(EXIT.failed)
    throw error
  }
  await clustered.stop()
  await audit?.close()
  return EXIT.ok
}

function port(text: string): number {
  const number = Number(text)
  if (Number.isInteger(number) && number >= 0 && number <= 65_535) return number
  throw new CliError(EXIT.usage, `"${text}" is no port`, 'a number from 0 to 65535; 0 picks one')
}
