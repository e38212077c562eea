// What a converged fleet costs an API server, counted from the server's own audit log; and what it does when somebody
// restores every object without its status.
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { API_VERSION, type Kind } from '../../api/meta.ts'
import { loopbackTransport } from '../../base/loopback-transport.ts'
import { systemRandom } from '../../base/random.ts'
import { createPath, objectPath } from '../../stores/kube/resources.ts'
import { AUTHORITY, type Audited, auditOf } from './audit.ts'
import { freshCluster } from './fresh-cluster.ts'
import { lasting, listed, type Machines, machinesOf } from './machines.ts'
import { NAMESPACE } from './reign.ts'
import { type Replicas, replicasOf } from './replica.ts'

const cluster = freshCluster('manifests/base')
/** PPN_KUBE_LONG=1: the fleet and the time of docs/kubernetes.md. */
const LONG = process.env.PPN_KUBE_LONG !== undefined
const [NODES, ARCHIVES, COUNTED_MS] = LONG ? [254, 1_000, 600_000] : [8, 24, 40_000]
const CONVERGED_WITHIN_MS = LONG ? 1_500_000 : 180_000
/** Nothing was written for this long: it has come to rest. */
const REST_MS = 12_000
/** Besides the Lease. */
const MOST_A_MINUTE = 10

let replicas: Replicas
let fleet: Machines

interface Plain {
  apiVersion: string
  kind: Kind
  metadata: { name: string; namespace?: string }
  spec: Record<string, unknown>
}

function declared(): Plain[] {
  const [a = 0, b = 0] = systemRandom(2)
  const network = `10.${64 + (a % 64)}.${b}`
  const apiVersion = API_VERSION
  const objects: Plain[] = [
    { apiVersion, kind: 'Mesh', metadata: { name: 'default' }, spec: { cidr: `${network}.0/24` } },
  ]
  for (let n = 1; n <= NODES; n++)
    objects.push({
      ...{ apiVersion, kind: 'Node', metadata: { name: `n-${n}` } },
      spec: {
        ...(n === 1
          ? { role: 'hub', site: 'cloud', endpoint: 'n-1.writes.example:51820' }
          : { role: 'spoke', site: 'onprem' }),
        address: `${network}.${n}`,
      },
    })
  for (let n = 1; n <= ARCHIVES; n++)
    objects.push({
      ...{ apiVersion, kind: 'Archive', metadata: { name: `cluster-totebox-writes-${n}`, namespace: 'default' } },
      spec: {
        nodeName: `n-${1 + (n % NODES)}`,
        runState: 'Running',
        image: { source: 'https://images.writes.example/a.raw', sha256: 'ab'.repeat(32), format: 'raw' },
        memory: { floor: '64Mi', max: '128Mi' },
      },
    })
  return objects
}
const objects = declared()

/** As GitOps does it. */
async function apply(all: readonly Plain[]): Promise<void> {
  const queue = [...all]
  const worker = async () => {
    for (let object = queue.shift(); object; object = queue.shift()) {
      const path = `${objectPath(object.kind, object.metadata)}?fieldManager=gitops&force=true`
      const { status, text } = await cluster().request('PATCH', path, object, 'application/apply-patch+yaml')
      if (status >= 300) throw new Error(`${createPath(object.kind)} ${object.metadata.name}: ${text}`)
    }
  }
  await Promise.all(Array.from({ length: 16 }, worker))
}

const CHANGES = ['create', 'update', 'patch', 'delete']
const ofAuthority = async () => (await auditOf(cluster().auditLog)).filter(({ user }) => user === AUTHORITY)
const isWrite = ({ verb, resource }: Audited) => CHANGES.includes(verb) && !resource.startsWith('leases.')
const tally = (lines: readonly Audited[]) => {
  const by: Record<string, number> = {}
  for (const { verb, resource } of lines) by[`${verb} ${resource}`] = (by[`${verb} ${resource}`] ?? 0) + 1
  return by
}

/** Events are told after the fact, six a minute, for as long as there are series to tell of. */
const ofState = (line: Audited) => isWrite(line) && !line.resource.startsWith('events.')

/** Waits until the authority has written no state for a while. */
async function atRest(): Promise<void> {
  const deadline = Date.now() + CONVERGED_WITHIN_MS
  while (Date.now() < deadline) {
    const last = (await ofAuthority()).findLast(ofState)?.atMs ?? 0
    if (Date.now() - last > REST_MS) return
    await wait(REST_MS / 4)
  }
  throw new Error(
    `it does not come to rest: ${JSON.stringify(tally((await ofAuthority()).filter(ofState).slice(-50)))}`,
  )
}

beforeAll(async () => {
  const token = (await cluster().kubectl(['create', 'token', 'ppn-authority', '-n', NAMESPACE])).trim()
  const kubeconfig = await cluster().writeKubeconfig('authority', { token })
  await apply(objects)
  replicas = await replicasOf()
  await replicas.start({ name: 'the-authority', kubeconfig, keepUp: true })
  fleet = machinesOf({
    ...{ cluster: cluster(), transport: loopbackTransport(), which: 'fake' },
    leader: replicas.leader,
  })
  await fleet.ready(CONVERGED_WITHIN_MS)
}, CONVERGED_WITHIN_MS)
afterAll(async () => {
  await replicas?.stop()
  await fleet?.stop()
})

test(
  `${NODES} nodes and ${ARCHIVES} archives, converged: for ${COUNTED_MS / 1000} s nothing is sent, and hardly anything is written`,
  async () => {
    await atRest()
    const [since, fromMs] = [fleet.since(), Date.now()]
    await wait(COUNTED_MS)
    const during = (await ofAuthority()).filter(({ atMs }) => atMs >= fromMs)
    const minutes = COUNTED_MS / 60_000
    process.stdout.write(`converged for ${minutes.toFixed(1)} min: ${JSON.stringify(tally(during))}\n`)
    expect(since.commands()).toEqual([])
    expect(since.bundles()).toEqual([])
    const perMinute = Array.from(
      { length: Math.ceil(minutes) },
      (_, n) => during.filter((line) => isWrite(line) && Math.floor((line.atMs - fromMs) / 60_000) === n).length,
    )
    expect(Math.max(...perMinute), JSON.stringify(tally(during.filter(isWrite)))).toBeLessThanOrEqual(MOST_A_MINUTE)
    // A fleet this young writes no state at all, as last heard moves after two hours, but the audit's head once: it is
    // kept 30 s after the last line.
    const written = during.filter(ofState)
    expect(written.length).toBeLessThanOrEqual(1)
    expect(written.filter(({ resource }) => resource !== 'records.internal.ppn.dev')).toEqual([])
  },
  COUNTED_MS + CONVERGED_WITHIN_MS,
)

test(
  'every status deleted and every spec applied again: nothing is sent, everything is where it was, and statuses come back',
  async () => {
    await atRest()
    const [since, facts, began] = [fleet.since(), await lasting(cluster()), performance.now()]
    for (const { kind, metadata } of objects) {
      const path = `${objectPath(kind, metadata, 'status')}?fieldManager=restore`
      const { status } = await cluster().request('PATCH', path, { status: null }, 'application/merge-patch+json')
      expect(status).toBe(200)
    }
    await apply(objects)
    await fleet.ready(CONVERGED_WITHIN_MS)
    const tookMs = performance.now() - began
    await atRest()
    const back = await listed(cluster(), ['Mesh', 'Node', 'Archive'])
    process.stdout.write(`${back.length} statuses deleted and back after ${(tookMs / 1000).toFixed(1)} s\n`)
    expect(await lasting(cluster())).toEqual(facts)
    expect(since.commands()).toEqual([])
    expect(since.bundles()).toEqual([])
  },
  2 * CONVERGED_WITHIN_MS,
)
