// The same small reconcile on kubernetes-fluent-client, the watcher and client under Pepr. Runs as a copy beside its
// node_modules, outside the repository. Argument: host:port of the receiver. KUBECONFIG is set.
import { createSocket } from 'node:dgram'
import { GenericKind, K8s, RegisterKind } from 'kubernetes-fluent-client'
import { command, statusOf } from '../command.ts'

/** As many as ppn's runtime and the tuned controller-runtime have. */
const WORKERS = 4
const RETRY_MS = 500

const [host, port] = (process.argv[2] ?? '').split(':')
const effect = createSocket('udp4')
await new Promise((resolve) => effect.connect(Number(port), host, resolve))
const send = (bytes) =>
  new Promise((resolve, reject) => effect.send(bytes, (error) => (error ? reject(error) : resolve())))

class Archive extends GenericKind {}
RegisterKind(Archive, { group: 'ppn.dev', version: 'v1alpha1', kind: 'Archive', plural: 'archives' })

async function reconcile({ metadata, spec, status }) {
  const { name, namespace, generation } = metadata
  if (status?.observedGeneration === generation) return
  await send(command(name, generation, spec.cpu.weight))
  const since = status?.conditions?.find(({ type }) => type === 'Ready')?.lastTransitionTime ?? new Date().toISOString()
  const written = { metadata: { name, namespace }, status: statusOf(generation, since) }
  await K8s(Archive).PatchStatus(written)
}

/** Newest object a key; a key is worked on by one worker at a time. */
const waiting = new Map()
const working = new Set()
function pump() {
  for (const [key, object] of waiting) {
    if (working.size >= WORKERS) return
    if (working.has(key)) continue
    waiting.delete(key)
    working.add(key)
    reconcile(object)
      .catch((error) => {
        process.stderr.write(`${key}: ${error?.statusText ?? error}\n`)
        setTimeout(() => {
          if (!waiting.has(key)) waiting.set(key, object)
          pump()
        }, RETRY_MS)
      })
      .finally(() => {
        working.delete(key)
        pump()
      })
  }
}

const watcher = K8s(Archive).Watch((object, phase) => {
  const key = `${object.metadata.namespace}/${object.metadata.name}`
  if (phase === 'DELETED') waiting.delete(key)
  else waiting.set(key, object)
  pump()
})
process.once('SIGTERM', () => {
  watcher.close()
  process.exit()
})
await watcher.start()
