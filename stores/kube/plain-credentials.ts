// Credentials that need no library: the pod's service account, and kubeconfigs with a token or a certificate.
// https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
import { existsSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { delimiter, dirname, join, resolve } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import type { Clock } from '../../base/clock.ts'
import type { Credentials, CredentialsOptions } from './credentials.ts'

/** Where a pod finds its own (kubernetes.io/docs/tasks/run-application/access-api-from-pod). */
const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'
/** The kubelet renews a token long before it ends; client-go reads the file again as often. */
const TOKEN_FRESH_MS = 60_000

const named = <T extends z.ZodType, K extends string>(key: K, inner: T) =>
  z.array(z.looseObject({ name: z.string(), [key]: inner } as { name: z.ZodString } & Record<K, T>))
const file = z.object({
  'current-context': z.string().optional(),
  clusters: named('cluster', z.unknown()),
  contexts: named('context', z.looseObject({ cluster: z.string(), user: z.string() })),
  users: named('user', z.unknown()),
})
// Strict: with a word in it that is not known here, the library reads it.
const clusterOf = z.strictObject({
  server: z.url({ protocol: /^https?$/ }),
  'certificate-authority': z.string().optional(),
  'certificate-authority-data': z.string().optional(),
  'insecure-skip-tls-verify': z.boolean().optional(),
  'tls-server-name': z.string().optional(),
})
const userOf = z.strictObject({
  token: z.string().optional(),
  tokenFile: z.string().optional(),
  'client-certificate': z.string().optional(),
  'client-certificate-data': z.string().optional(),
  'client-key': z.string().optional(),
  'client-key-data': z.string().optional(),
})

export interface PlainOptions extends CredentialsOptions {
  env?: NodeJS.ProcessEnv
  serviceAccount?: string
}

/** Undefined when they are of another kind, or cannot be read: the library has the words for what is wrong. */
export function plainCredentials(options: PlainOptions): Credentials | undefined {
  const { env = process.env, serviceAccount = SERVICE_ACCOUNT, clock, context } = options
  const path = options.kubeconfig ?? defaultFile(env)
  try {
    if (path === undefined) return context === undefined ? ofPod(serviceAccount, env, clock) : undefined
    return path.includes(delimiter) ? undefined : ofFile(path, context, clock)
  } catch {
    return undefined
  }
}

/** What is read when nobody names a kubeconfig; undefined: there is none. */
export function defaultFile({ KUBECONFIG, HOME } = process.env): string | undefined {
  if (KUBECONFIG) return KUBECONFIG
  const path = HOME && join(HOME, '.kube', 'config')
  return path && existsSync(path) ? path : undefined
}

function ofPod(folder: string, env: NodeJS.ProcessEnv, clock: Clock): Credentials | undefined {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = env
  const tokenFile = join(folder, 'token')
  if (!host || !port || !existsSync(tokenFile)) return undefined
  const server = `https://${host.includes(':') ? `[${host}]` : host}:${port}`
  return bearer(server, { ca: readFileSync(join(folder, 'ca.crt')) }, tokenFromFile(tokenFile, clock))
}

function ofFile(path: string, context: string | undefined, clock: Clock): Credentials | undefined {
  const config = file.parse(parse(readFileSync(path, 'utf8')))
  const chosen = find(config.contexts, context ?? config['current-context'])?.context
  const cluster = clusterOf.safeParse(find(config.clusters, chosen?.cluster)?.cluster)
  const user = userOf.safeParse(find(config.users, chosen?.user)?.user)
  if (!cluster.success || !user.success) return undefined
  const at = (name: string) => resolve(dirname(path), name)
  const bytes = (data: string | undefined, name: string | undefined) =>
    data !== undefined ? Buffer.from(data, 'base64') : name !== undefined ? readFileSync(at(name)) : undefined
  const { data: c } = cluster
  const { data: u } = user
  const tls = {
    ca: bytes(c['certificate-authority-data'], c['certificate-authority']),
    cert: bytes(u['client-certificate-data'], u['client-certificate']),
    key: bytes(u['client-key-data'], u['client-key']),
    servername: c['tls-server-name'],
    ...(c['insecure-skip-tls-verify'] && { rejectUnauthorized: false }),
  }
  // Both: the file counts, since it can be renewed.
  const { token, tokenFile } = u
  const tokenOf = tokenFile !== undefined ? tokenFromFile(at(tokenFile), clock) : async () => token
  return bearer(c.server, tls, tokenOf)
}

const find = <T extends { name: string }>(all: readonly T[], name: string | undefined): T | undefined =>
  all.find((one) => one.name === name)

function bearer(
  server: string,
  tls: Awaited<ReturnType<Credentials['options']>>,
  tokenOf: () => Promise<string | undefined>,
): Credentials {
  return {
    server,
    proxied: false,
    async options() {
      const token = await tokenOf()
      return { ...tls, headers: token === undefined ? {} : { Authorization: `Bearer ${token}` } }
    },
  }
}

/** Read again when it has grown old; while it cannot be, the one of before serves. */
function tokenFromFile(path: string, clock: Clock): () => Promise<string> {
  let token = readFileSync(path, 'utf8').trim()
  let readMs = clock.monotonic()
  return async () => {
    if (clock.monotonic() - readMs < TOKEN_FRESH_MS) return token
    readMs = clock.monotonic()
    token = (await readFile(path, 'utf8').catch(() => '')).trim() || token
    return token
  }
}
