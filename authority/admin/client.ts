// The other end of the admin socket, for the CLI.
import { readFile } from 'node:fs/promises'
import { type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Kind, ObjectKey } from '../../api/meta.ts'
import type { AnyObject } from '../../api/v1alpha1/index.ts'
import type { NodeIdentity } from '../../api/v1alpha1/node.ts'
import type { AdminBackend, AdminWatchEvent } from './backend.ts'
import { WATCH_PATH } from './routes.ts'
import { POINTER, SERVICE } from './socket-path.ts'

/** What the authority answered instead of a result. `code` is one of base/errors.ts, or BadRequest, or Internal. */
export class AdminError extends Error {
  readonly code: string
  readonly hint: string
  constructor(code: string, message: string, hint: string) {
    super(message)
    this.code = code
    this.hint = hint
  }
}

type Awaitable<T> = {
  [K in keyof T]: T[K] extends (...args: infer A) => infer R ? (...args: A) => Promise<Awaited<R>> : never
}

/** The backend as seen from afar: the same calls, each a promise. */
export type AdminClient = Omit<Awaitable<AdminBackend>, 'watch'> & {
  watch(filter: { kind?: Kind }, signal: AbortSignal): AsyncIterable<AdminWatchEvent>
}

async function open(
  socket: string,
  method: string,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<IncomingMessage> {
  return await new Promise((resolve, reject) => {
    const call = request(
      // A connection of its own: a kept one may be closed by the other end in the moment in which it is used again.
      { socketPath: socket, agent: false, method, path, signal, headers: { 'content-type': 'application/json' } },
      resolve,
    )
    call.once('error', reject)
    call.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

async function text(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

/**
 * Connects to the authority that holds `stateFolder`; undefined when none runs there (no socket, or nobody behind it).
 */
export async function connectAdmin(stateFolder: string): Promise<AdminClient | undefined> {
  let socket: string
  try {
    socket = (await readFile(join(stateFolder, POINTER), 'utf8')).trim()
  } catch {
    // The service's state folder is closed to all but its user; its socket is not.
    if (stateFolder !== SERVICE.state) return undefined
    socket = SERVICE.socket
  }
  const call = async <T>(method: 'GET' | 'POST', path: string, input: Record<string, unknown> = {}): Promise<T> => {
    const defined = Object.entries(input).filter(([, value]) => value !== undefined)
    const query = method === 'GET' && defined.length > 0 ? `?${new URLSearchParams(defined as [string, string][])}` : ''
    const response = await open(
      socket,
      method,
      path + query,
      method === 'POST' ? Object.fromEntries(defined) : undefined,
    )
    const answer = JSON.parse(await text(response))
    if (response.statusCode === 200) return (answer ?? undefined) as T
    throw new AdminError(answer.code, answer.message, answer.hint)
  }
  const client: AdminClient = {
    version: () => call('GET', '/v1/version'),
    health: () => call('GET', '/v1/health'),
    objects: (filter) => call('GET', '/v1/objects', filter),
    explain: (key) => call('GET', '/v1/explain', { key }),
    events: (filter) => call('GET', '/v1/events', filter),
    holds: () => call('GET', '/v1/holds'),
    confirm: (key) => call('POST', '/v1/confirm', { key }),
    retry: (node) => call('POST', '/v1/retry', { node }),
    create: (kind, name, spec) => call<AnyObject>('POST', '/v1/create', { kind, name, spec }),
    amend: (key: ObjectKey, spec) => call<AnyObject>('POST', '/v1/amend', { key, spec }),
    ceremony: (name) => call('GET', '/v1/ceremony', { name }),
    remove: (key: ObjectKey) => call('POST', '/v1/remove', { key }),
    enrol: (node: string, identity: NodeIdentity) => call('POST', '/v1/enrol', { node, identity }),
    bundle: (node) => call('GET', '/v1/bundle', { node }),
    keys: () => call('GET', '/v1/keys'),
    brake: (set, reason) => call('POST', '/v1/brake', { set, reason }),
    sever: (node, throughBrake) => call('POST', '/v1/sever', { node, throughBrake }),
    rotateKeys: (nodes) => call('POST', '/v1/rotate-keys', { nodes }),
    rotation: () => call('GET', '/v1/rotation', {}),
    fleetCard: () => call('GET', '/v1/fleet-card', {}),
    leave: (node) => call('POST', '/v1/leave', { node }),
    backup: (path, passphrase) => call('POST', '/v1/backup', { path, passphrase }),
    async *watch(filter, signal) {
      const query = filter.kind ? `?kind=${filter.kind}` : ''
      const response = await open(socket, 'GET', WATCH_PATH + query, undefined, signal)
      for await (const line of createInterface({ input: response })) yield JSON.parse(line) as AdminWatchEvent
    },
  }
  try {
    await client.version()
    return client
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ECONNREFUSED') return undefined
    throw error
  }
}
