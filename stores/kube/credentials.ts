// Which API server, and as whom: what the two readers of kubeconfigs have in common.
import type https from 'node:https'
import type { Clock } from '../../base/clock.ts'
import { PpnError } from '../../base/errors.ts'
import { plainCredentials } from './plain-credentials.ts'

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
 * Throws KubeConfigUnusable when no server is named.
 */
export async function findCredentials(options: CredentialsOptions): Promise<Credentials> {
  return plainCredentials(options) ?? (await libraryCredentials(options))
}

async function libraryCredentials({ kubeconfig, context }: CredentialsOptions): Promise<Credentials> {
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
