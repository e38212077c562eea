// Which API server, and as whom: what the two readers of kubeconfigs have in common.
import type https from 'node:https'
import { delimiter } from 'node:path'
import type { Clock } from '../../base/clock.ts'
import { PpnError } from '../../base/errors.ts'
import { defaultFile, type PlainOptions, plainCredentials } from './plain-credentials.ts'

export interface Credentials {
  readonly server: string
  /** Connections go through a proxy: `options` names the agent that knows the way. */
  readonly proxied: boolean
  /** Trust, headers and certificates of one request. Anew for each: tokens are renewed in files and by plugins. */
  options(): Promise<https.RequestOptions>
}

export interface CredentialsOptions {
  /** Path of a kubeconfig; by default $KUBECONFIG, ~/.kube/config, or the pod's service account, in that order. */
  kubeconfig?: string
  /** A context of it other than its current one. */
  context?: string
  clock: Clock
}

/**
 * A service account, a token or a certificate is read here. Everything else that people authenticate with (plugins,
 * OpenID, proxies, merged files) is known to @kubernetes/client-node, which takes 50 MiB and most of a second to load.
 * Throws KubeConfigUnusable when no server is named, and NoKubeConfig where the library would go on to
 * http://localhost:8080, as kubectl does.
 */
export async function findCredentials(options: PlainOptions): Promise<Credentials> {
  const plain = plainCredentials(options)
  if (plain) return plain
  const { kubeconfig, context, env } = options
  if (kubeconfig !== undefined) return libraryCredentials(kubeconfig, context)
  const found = defaultFile(env)
  if (found === undefined) throw new PpnError('NoKubeConfig')
  return libraryCredentials(found.includes(delimiter) ? undefined : found, context)
}

/** `kubeconfig` undefined: the several of $KUBECONFIG, merged. */
async function libraryCredentials(kubeconfig: string | undefined, context: string | undefined): Promise<Credentials> {
  const { KubeConfig } = await import('@kubernetes/client-node')
  const config = new KubeConfig()
  try {
    if (kubeconfig === undefined) config.loadFromDefault()
    else config.loadFromFile(kubeconfig)
    if (context !== undefined) config.setCurrentContext(context)
  } catch (error) {
    throw new PpnError('KubeConfigUnusable', { why: (error as Error).message }, { cause: error })
  }
  const cluster = config.getCurrentCluster()
  if (!cluster) throw new PpnError('KubeConfigUnusable', { why: `context ${config.getCurrentContext()} is not in it` })
  return {
    server: cluster.server,
    proxied: Boolean(cluster.proxyUrl),
    async options() {
      const of: https.RequestOptions = { headers: {} }
      await config.applyToHTTPSOptions(of)
      return of
    },
  }
}
