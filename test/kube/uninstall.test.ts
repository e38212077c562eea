// Taking ppn off a cluster, in the right order and in wrong ones: no machine is told anything, and whoever waits is told
// what for. The authority is a process, the agents are the real one on simulated drivers. docs/uninstall.md.
import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, expect, inject, test } from 'vitest'
import { loopbackTransport } from '../../base/loopback-transport.ts'
import { runOk, systemProcesses } from '../../base/processes.ts'
import { RECORD_API_VERSION } from '../../stores/kube/resources.ts'
import { applyManifests, freshCluster } from './fresh-cluster.ts'
import { type Machines, machinesOf, type Since } from './machines.ts'
import { NAMESPACE } from './reign.ts'
import { officeElsewhere, type Replica, type Replicas, replicasOf } from './replica.ts'

const cluster = freshCluster('manifests/base')
/** Longer than a command or a bundle takes to go out. */
const QUIET_MS = 4_000
const WITHIN = '--timeout=150s'
const PLURALS = 'archives,resourcepools,nodes.ppn.dev,meshes'

interface Installed {
  replica: Replica
  fleet: Machines
  since: Since
}
let replicas: Replicas | undefined
let fleet: Machines | undefined

const kubectl = (...args: string[]) => cluster().kubectl(args)
const attempt = (...args: string[]) => cluster().tryKubectl(args)

/** A converged fleet under an authority that runs as it does on a cluster. */
async function installed(): Promise<Installed> {
  await applyManifests(cluster(), 'manifests/base')
  const crd = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${CRDS[0]}?dryRun=All`
  while ((await cluster().request('DELETE', crd)).status !== 403) await wait(200)
  const token = (await kubectl('create', 'token', 'ppn-authority', '-n', NAMESPACE)).trim()
  const kubeconfig = await cluster().writeKubeconfig('authority', { token })
  await cluster().kubectl(['apply', '-f', '-'], await officeElsewhere())
  replicas = await replicasOf()
  const replica = await replicas.start({ name: 'authority', kubeconfig })
  fleet = machinesOf({
    ...{ cluster: cluster(), transport: loopbackTransport(), which: 'simulated' },
    leader: replicas.leader,
  })
  await fleet.ready()
  return { replica, fleet, since: fleet.since() }
}

/** Every object, `Kind/name` as kubectl takes it; those of a namespace are all in `default`. */
async function objects(): Promise<string[]> {
  const names = await kubectl('get', PLURALS, '-n', 'default', '-o', 'name')
  return names.split('\n').filter((name) => name !== '')
}
async function annotate(names: readonly string[], ...annotations: ((name: string) => string)[]): Promise<void> {
  for (const name of names) {
    const bare = name.split('/')[1] as string
    await kubectl('annotate', '--overwrite', '-n', 'default', name, ...annotations.map((of) => of(bare)))
  }
}
const confirm = (name: string) => `ppn.dev/confirm-delete=${name}`

/** The nth block of commands of the page's part on clusters. */
async function asWritten(nth: number): Promise<void> {
  const [, part = ''] = (await readFile('docs/uninstall.md', 'utf8')).split('## From a cluster')
  const block = [...part.matchAll(/```sh\n(.*?)```/gs)][nth]?.[1] as string
  const env = {
    KUBECONFIG: cluster().kubeconfig,
    PATH: `${dirname(inject('kubePrograms').kubectl)}:${process.env.PATH}`,
  }
  await runOk(systemProcesses(), 'sh', ['-euc', block], { env, timeoutMs: 120_000 })
}

/** No machine was told to end anything, and none did. */
function untouched({ since }: Installed): void {
  const ends = ['POWER', 'SEVER', 'ISOLATE', 'BALLOON', 'REKEY']
  expect(since.commands().filter(({ op }) => ends.includes(op))).toEqual([])
  expect(since.driverCalls()).toEqual([])
}

/** The way out when no authority runs. */
async function letGo(): Promise<void> {
  for (const name of await objects())
    await attempt('patch', name, '-n', 'default', '--type=merge', '-p', 'metadata: {finalizers: null}')
}

const IN_NAMESPACE: Readonly<Record<string, string>> = {
  ...{ records: `/apis/${RECORD_API_VERSION}`, registrylines: `/apis/${RECORD_API_VERSION}` },
  ...{ rolebindings: '/apis/rbac.authorization.k8s.io/v1', roles: '/apis/rbac.authorization.k8s.io/v1' },
  ...{ leases: '/apis/coordination.k8s.io/v1', serviceaccounts: '/api/v1', secrets: '/api/v1' },
}

/** As the namespace's controller does it, which is no part of an API server. */
async function emptyNamespace(which = Object.keys(IN_NAMESPACE)): Promise<void> {
  for (const resource of which)
    await cluster().request('DELETE', `${IN_NAMESPACE[resource]}/namespaces/${NAMESPACE}/${resource}`)
}

/** The next test begins with nothing of this one. */
afterEach(async () => {
  await replicas?.stop()
  await fleet?.stop()
  await attempt('delete', 'validatingadmissionpolicybinding', 'confirm-delete.ppn.dev')
  await letGo().catch(() => {})
  // A policy is out of force in the server's own time.
  while ((await attempt('delete', 'crd', ...CRDS, '--wait=false', '--ignore-not-found')).exitCode !== 0) await wait(200)
  await letGo().catch(() => {})
  await emptyNamespace()
  while ((await attempt('delete', 'namespace', NAMESPACE, '--wait=false', '--ignore-not-found')).exitCode !== 0)
    await wait(200)
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE }, spec: { finalizers: [] } }
  await cluster().request('PUT', `/api/v1/namespaces/${NAMESPACE}/finalize`, namespace)
  await kubectl('wait', '--for=delete', `namespace/${NAMESPACE}`, ...CRDS.map((name) => `crd/${name}`), WITHIN)
})
const CRDS = [
  ...['meshes', 'nodes', 'pairings', 'resourcepools', 'archives'].map((plural) => `${plural}.ppn.dev`),
  ...['records', 'registrylines'].map((plural) => `${plural}.internal.ppn.dev`),
]

test('in order: objects as orphans, the authority, the kinds', async () => {
  const there = await installed()
  await asWritten(0)
  expect(await objects()).toEqual([])
  await there.replica.stop()
  await asWritten(1)
  expect(await kubectl('get', 'crd', '-o', 'name')).toBe('')
  await wait(QUIET_MS)
  untouched(there)
})

test('the kinds first: refused; by force, everything waits, and the server said for what', async () => {
  const there = await installed()
  const refused = await attempt('delete', '-k', 'manifests/crds')
  expect(refused.stderr).toContain('ppn.dev/confirm-delete=nodes.ppn.dev')
  await annotate(
    CRDS.map((name) => `crd/${name}`),
    confirm,
  )
  const deleted = await attempt('delete', 'crd', ...CRDS, '--wait=false')
  expect(deleted.stderr).toMatch(/Warning: .*: its objects go with it.*docs\/uninstall\.md/)
  await wait(QUIET_MS)
  // Its records went with their kind: it can give nothing a new place any more, nor take anything apart.
  expect((await objects()).length).toBeGreaterThan(0)
  untouched(there)
  await there.replica.stop()
  await letGo()
  await kubectl('wait', '--for=delete', ...CRDS.map((name) => `crd/${name}`), WITHIN)
  await wait(QUIET_MS)
  untouched(there)
})

test('the authority first: what is deleted then waits, and the server says for what, and the way out', async () => {
  const there = await installed()
  await there.replica.stop()
  const names = await objects()
  await annotate(names, confirm)
  const deleted = await attempt('delete', ...names, '-n', 'default', '--wait=false')
  for (const name of names.filter((name) => !name.startsWith('mesh'))) {
    const [kind, bare] = name.split('/')
    const way = new RegExp(
      `Warning: .*with no authority left.* kubectl patch \\w+\\.ppn\\.dev/${bare} .*-p 'metadata: {finalizers: null}'`,
    )
    expect(deleted.stderr, kind).toMatch(way)
  }
  await letGo()
  expect(await objects()).toEqual([])
  await wait(QUIET_MS)
  untouched(there)
})

test('the namespace first: refused; by force, the authority ends and nothing else does', async () => {
  const there = await installed()
  const refused = await attempt('delete', 'namespace', NAMESPACE)
  expect(refused.stderr).toContain(`ppn.dev/confirm-delete=${NAMESPACE}`)
  await annotate([`namespace/${NAMESPACE}`], confirm)
  await kubectl('delete', 'namespace', NAMESPACE, '--wait=false')
  // The worst order: everything it ever knew is gone while it still leads.
  await emptyNamespace(['records', 'registrylines'])
  await wait(QUIET_MS)
  expect(there.replica.process.ended()).toBe(false)
  await emptyNamespace()
  while (!there.replica.process.ended()) await wait(100)
  expect(await there.replica.words()).toContain('leads no more')
  expect(there.since.bundles()).toEqual([])
  untouched(there)
  // All the objects are there still, as they were seen last.
  await kubectl('wait', '--for=condition=Ready', 'archives', '--all', '-n', 'default', '--timeout=0s')
})

test('all at once, until nothing is refused, and the authority killed in the middle', async () => {
  const there = await installed()
  const first = await attempt('delete', '-k', 'manifests/base', '--wait=false')
  expect(first.stderr).toContain(`ppn.dev/confirm-delete=${NAMESPACE}`)
  await emptyNamespace(['rolebindings', 'roles', 'serviceaccounts', 'leases'])
  await there.replica.stop('SIGKILL')
  // The lock is out of force in the server's own time.
  const again = () => attempt('delete', '-k', 'manifests/base', '--wait=false', '--ignore-not-found')
  while ((await again()).exitCode !== 0) await wait(500)
  await wait(QUIET_MS)
  untouched(there)
  await letGo()
  await kubectl('wait', '--for=delete', ...CRDS.map((name) => `crd/${name}`), WITHIN)
  untouched(there)
})
