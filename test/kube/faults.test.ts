// What an API server does to its clients in bad hours, done to a converged fleet of real agents: nothing is sent and no
// machine is touched while nothing has changed, and what is declared meanwhile is in force soon after, once.
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loopbackTransport } from '../../base/loopback-transport.ts'
import { objectPath } from '../../stores/kube/resources.ts'
import type { DriverCall } from './counted-drivers.ts'
import { type FaultProxy, faultProxy } from './fault-proxy.ts'
import { freshCluster } from './fresh-cluster.ts'
import { lasting, type Machines, machinesOf } from './machines.ts'
import { NAMESPACE } from './reign.ts'
import { officeElsewhere, type Replica, type Replicas, replicasOf } from './replica.ts'

const cluster = freshCluster()
/** PPN_KUBE_LONG=1: as long as docs/kubernetes.md says; otherwise as long as it takes to see. */
const LONG = process.env.PPN_KUBE_LONG !== undefined
const lasts = (long: number, short: number) => (LONG ? long : short)
/** The goal is 10 s; a machine that is shared may be slower, and a defect is far slower. */
const EFFECTIVE_WITHIN_MS = 30_000
/** Late repetitions are seen in this time. */
const AFTERWARDS_MS = 2_500
const LAPTOP = { name: 'gateway-orchestration-travel-1', namespace: 'default' }

interface Row {
  fault: string
  /** Seconds. */
  lasted: number
  /** While nothing was declared anew. */
  commands: number
  bundles: number
  calls: number
  /** Seconds from the end of the fault, or from the server taking the change when that was later; both changes. */
  effective: string
  duplicates: number
  /** How often the authority lost its Lease and began anew. */
  reigns: number
}
const rows: Row[] = []

let proxy: FaultProxy
let replicas: Replicas
let authority: Replica
let fleet: Machines
/** Weight of an archive (a command), share of a host (a bundle). */
let declared = 300

beforeAll(async () => {
  await cluster().kubectl(['create', 'namespace', NAMESPACE])
  await cluster().kubectl(['apply', '-f', '-'], await officeElsewhere())
  proxy = await faultProxy(cluster())
  const kubeconfig = await cluster().writeKubeconfig('through', { token: cluster().token, url: proxy.url })
  replicas = await replicasOf()
  authority = await replicas.start({ name: 'the-authority', kubeconfig, keepUp: true })
  fleet = machinesOf({
    ...{ cluster: cluster(), transport: loopbackTransport(), which: 'simulated' },
    leader: replicas.leader,
  })
  await fleet.ready()
  await wait(AFTERWARDS_MS)
})
afterAll(async () => {
  await replicas?.stop()
  await fleet?.stop()
  await proxy?.close()
  if (rows.length > 0) process.stdout.write(`${table(rows)}\n`)
})

/** As kubectl does it, again until the server takes it. Resolves with performance.now() of that. */
async function declare(path: string, spec: object): Promise<number> {
  for (;;) {
    const answer = await cluster()
      .request('PATCH', path, { spec }, 'application/merge-patch+json')
      .catch(() => undefined)
    if (answer?.status === 200) return performance.now()
    if (answer?.status === 422) throw new Error(answer.text)
    await wait(100)
  }
}

interface Fault {
  name: string
  lastsMs: number
  /** Begins it, and resolves with how it is ended. */
  begin(): Promise<() => Promise<void> | void>
}

async function suffer({ name, lastsMs, begin }: Fault): Promise<void> {
  await fleet.ready()
  const facts = await lasting(cluster())
  const { restarts } = authority
  const began = performance.now()
  const before = fleet.since()
  const end = await begin()
  await wait(Math.max(0, began + 0.7 * lastsMs - performance.now()))
  const calm = [before.commands().length, before.bundles().length, before.driverCalls().length] as const

  const since = fleet.since()
  declared++
  const taken = Promise.all([
    declare(objectPath('Archive', LAPTOP), { cpu: { weight: declared } }),
    declare(objectPath('ResourcePool', { name: 'office-1' }), { cpu: { reservedWeight: declared } }),
  ])
  await wait(Math.max(0, began + lastsMs - performance.now()))
  await end()
  const ended = performance.now()
  const countsFrom = Math.max(ended, ...(await taken))
  const done = (call: string) => since.driverCalls().filter((c) => c.call === call && c.value === declared)
  const both = (): DriverCall[] => [...done('cgroup.setWeight'), ...done('cgroup.reserve')]
  while (new Set(both().map(({ call }) => call)).size < 2) {
    if (performance.now() > countsFrom + EFFECTIVE_WITHIN_MS)
      throw new Error(`${name}: not in force ${EFFECTIVE_WITHIN_MS / 1000} s after it: ${JSON.stringify(both())}`)
    await wait(20)
  }
  const effectiveMs = Math.max(...both().map(({ atMs }) => atMs)) - countsFrom
  await wait(AFTERWARDS_MS)
  await fleet.ready()

  const commands = since.commands().flatMap(({ op }) => (op === 'PING' ? [] : [op]))
  // PING is what a reign begins with: this one was cut off for longer than a Lease allows. Besides that one command to
  // the archive, one bundle to a node, and APPLY to the three nodes.
  const reigns = authority.restarts - restarts
  const duplicates = commands.length - 4 + since.bundles().length - 1 + since.driverCalls().length - 2
  rows.push({
    ...{ fault: name, lasted: (ended - began) / 1000, commands: calm[0], bundles: calm[1], calls: calm[2] },
    effective: effectiveMs <= 0 ? 'before its end' : `${(effectiveMs / 1000).toFixed(1)} s`,
    ...{ duplicates, reigns },
  })
  expect(calm, `${name}: commands, bundles and driver calls`).toEqual([0, 0, 0])
  expect(commands.sort()).toEqual(['APPLY', 'APPLY', 'APPLY', 'WEIGHT'])
  expect(since.bundles()).toHaveLength(1)
  expect(since.driverCalls().map(({ call }) => call)).toHaveLength(2)
  if (reigns === 0) expect(since.commands().filter(({ op }) => op === 'PING')).toEqual([])
  expect(await lasting(cluster())).toEqual(facts)
}

const asked = (url: string) => url.includes('watch=1')

test('watches cut again and again', () =>
  suffer({
    name: 'watches cut, every 300 ms',
    lastsMs: lasts(30_000, 5_000),
    async begin() {
      const timer = setInterval(() => proxy.cutWatches(), 300)
      return () => clearInterval(timer)
    },
  }))

test('410 Gone: the place of every watch is compacted away while it is cut off', async () => {
  const before = proxy.gone
  await suffer({
    name: '410 Gone after a compaction of etcd',
    lastsMs: lasts(20_000, 6_000),
    async begin() {
      proxy.set({ refuse: (_, url) => (asked(url) ? { status: 503 } : undefined) })
      proxy.cutWatches()
      // Somebody else's objects, so that revisions go by.
      for (let n = 0; n < 10; n++)
        await cluster().request('POST', '/api/v1/namespaces', { metadata: { name: `noise-${declared}-${n}` } })
      const { metadata } = (await cluster().request('GET', '/api/v1/namespaces')).json() as {
        metadata: { resourceVersion: string }
      }
      const compacted = await fetch(`${cluster().etcdUrl}/v3/kv/compaction`, {
        method: 'POST',
        body: JSON.stringify({ revision: metadata.resourceVersion, physical: true }),
      })
      expect(compacted.status).toBe(200)
      // What it keeps of the past in memory goes as well.
      await cluster().restartApiServer()
      return () => proxy.set({})
    },
  })
  expect(proxy.gone).toBeGreaterThan(before)
})

test('the API server is killed and starts again', () =>
  suffer({
    name: 'API server killed, started again',
    lastsMs: 2_000,
    async begin() {
      await cluster().restartApiServer('SIGKILL')
      return () => {}
    },
  }))

test('etcd stands still', () =>
  suffer({
    name: 'etcd stopped (SIGSTOP)',
    lastsMs: lasts(30_000, 15_000),
    async begin() {
      cluster().etcd.freeze()
      return () => cluster().etcd.thaw()
    },
  }))

test('etcd is killed and starts again', () =>
  suffer({
    name: 'etcd killed, started again',
    lastsMs: lasts(30_000, 8_000),
    async begin() {
      const { restart } = await cluster().stopEtcd('SIGKILL')
      return restart
    },
  }))

test('nobody is there', () =>
  suffer({
    name: 'connections refused',
    lastsMs: lasts(30_000, 6_000),
    async begin() {
      proxy.set({ down: true })
      return () => proxy.set({})
    },
  }))

test('every answer is late', () =>
  suffer({
    name: '2 s of latency',
    lastsMs: lasts(30_000, 6_000),
    async begin() {
      proxy.set({ latencyMs: 2_000 })
      proxy.cutWatches()
      return () => proxy.set({})
    },
  }))

test('429 Too Many Requests', () =>
  suffer({
    name: '429 with Retry-After: 1',
    lastsMs: lasts(30_000, 6_000),
    async begin() {
      proxy.set({ refuse: () => ({ status: 429, headers: { 'retry-after': '1' } }) })
      proxy.cutWatches()
      return () => proxy.set({})
    },
  }))

test('500 Internal Server Error', () =>
  suffer({
    name: '500 to everything',
    lastsMs: lasts(30_000, 6_000),
    async begin() {
      proxy.set({ refuse: () => ({ status: 500 }) })
      proxy.cutWatches()
      return () => proxy.set({})
    },
  }))

test('connections that are accepted and never answered, and stay so', () =>
  suffer({
    name: 'half-open connections',
    lastsMs: lasts(30_000, 10_000),
    async begin() {
      proxy.set({ mute: true })
      return () => proxy.set({})
    },
  }))

/** As docs/kubernetes.md shows it. */
function table(all: readonly Row[]): string {
  const head = ['fault', 'lasted', 'commands', 'bundles', 'driver calls', 'in force after', 'twice', 'new reigns']
  const lines = all.map((row) => [
    ...[
      row.fault,
      `${row.lasted.toFixed(0)} s`,
      row.commands,
      row.bundles,
      row.calls,
      row.effective,
      row.duplicates,
      row.reigns,
    ],
  ])
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}
