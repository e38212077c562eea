// The admin protocol: JSON over HTTP on a unix socket. One table for server and client.

import { z } from 'zod'
import { type Kind, type ObjectKey, parseKey } from '../../api/meta.ts'
import { nodeIdentity } from '../../api/v1alpha1/node.ts'
import type { AdminBackend } from './backend.ts'

export interface Route {
  method: 'GET' | 'POST'
  path: string
  /** Parses what came in, calls the backend, gives the body of the answer. */
  answer(backend: AdminBackend, input: unknown): unknown
}

const key = z.string().transform((text, context): ObjectKey => {
  try {
    parseKey(text)
  } catch {
    context.addIssue({ code: 'custom', message: 'not a key such as Node/edge-2' })
  }
  return text
})
const kind = z.enum(['Mesh', 'Node', 'Pairing', 'ResourcePool', 'Archive']) satisfies z.ZodType<Kind>
const node = z.string().min(1).max(63)

function route<S extends z.ZodType>(
  method: Route['method'],
  path: string,
  schema: S,
  answer: (backend: AdminBackend, input: z.output<S>) => unknown,
): Route {
  return { method, path, answer: (backend, input) => answer(backend, schema.parse(input)) }
}

const nothing = z.strictObject({})

export const ROUTES: readonly Route[] = [
  route('GET', '/v1/version', nothing, (b) => b.version()),
  route('GET', '/v1/health', nothing, (b) => b.health()),
  route(
    'GET',
    '/v1/objects',
    z.strictObject({ kind: kind.optional(), namespace: z.string().optional(), name: z.string().optional() }),
    (b, filter) => b.objects(filter),
  ),
  route('GET', '/v1/explain', z.strictObject({ key }), (b, i) => b.explain(i.key) ?? null),
  route('GET', '/v1/events', z.strictObject({ key: key.optional() }), (b, filter) => b.events(filter)),
  route('GET', '/v1/holds', nothing, (b) => b.holds()),
  route('POST', '/v1/confirm', z.strictObject({ key: z.union([z.literal('all'), key]) }), (b, i) => b.confirm(i.key)),
  route('POST', '/v1/retry', z.strictObject({ node }), (b, i) => b.retry(i.node)),
  route('POST', '/v1/create', z.strictObject({ kind, name: node, spec: z.unknown() }), (b, i) =>
    b.create(i.kind, i.name, i.spec),
  ),
  route('POST', '/v1/amend', z.strictObject({ key, spec: z.unknown() }), (b, i) => b.amend(i.key, i.spec)),
  route('GET', '/v1/ceremony', z.strictObject({ name: node }), (b, i) => b.ceremony(i.name)),
  route('POST', '/v1/remove', z.strictObject({ key }), (b, i) => b.remove(i.key)),
  route('POST', '/v1/enrol', z.strictObject({ node, identity: nodeIdentity }), (b, i) => b.enrol(i.node, i.identity)),
  route('GET', '/v1/bundle', z.strictObject({ node }), (b, i) => b.bundle(i.node)),
  route('GET', '/v1/keys', nothing, (b) => b.keys()),
  route('POST', '/v1/brake', z.strictObject({ set: z.boolean(), reason: z.string().max(1024) }), (b, i) =>
    b.brake(i.set, i.reason),
  ),
  route('POST', '/v1/sever', z.strictObject({ node, throughBrake: z.boolean() }), (b, i) =>
    b.sever(i.node, i.throughBrake),
  ),
  route(
    'POST',
    '/v1/rotate-keys',
    z.strictObject({ nodes: z.union([z.literal('all'), z.array(node).max(254)]) }),
    (b, i) => b.rotateKeys(i.nodes),
  ),
  route('GET', '/v1/rotation', nothing, (b) => b.rotation()),
  route('GET', '/v1/fleet-card', nothing, (b) => b.fleetCard()),
  route('POST', '/v1/leave', z.strictObject({ node }), (b, i) => b.leave(i.node)),
  route('POST', '/v1/backup', z.strictObject({ path: z.string(), passphrase: z.string().min(1) }), (b, i) =>
    b.backup(i.path, i.passphrase),
  ),
]

export const WATCH_PATH = '/v1/watch'
export const watchQuery = z.strictObject({ kind: kind.optional() })
