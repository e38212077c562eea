// Two replicas of the authority over one API server, each with a bearer and a way to the server of its own: whatever
// happens to the one that leads, it acts no more, and the other goes on where it was.
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loopbackTransport } from '../../base/loopback-transport.ts'
import { recordName } from '../../stores/kube/records.ts'
import { objectPath, recordsPath } from '../../stores/kube/resources.ts'
import { type Audited, auditOf } from './audit.ts'
import { type FaultProxy, faultProxy } from './fault-proxy.ts'
import { freshCluster } from './fresh-cluster.ts'
import { type GotCommand, lasting, listed, type Machines, machinesOf, type Since } from './machines.ts'
import { NAMESPACE } from './reign.ts'
import { officeElsewhere, type Replica, type Replicas, replicasOf } from './replica.ts'

const cluster = freshCluster('manifests/base')
/** PPN_KUBE_LONG=1: everything, several times, for the table of docs/kubernetes.md. */
const LONG = process.env.PPN_KUBE_LONG !== undefined
const RUNS = LONG ? 5 : 1
/** A Lease is free after 15 s, looked at every 2.4 s; the rest is for a machine with other work. */
const TAKEN_WITHIN_MS = 60_000
const NODES = { a: 'relay', b: 'relay-2' } as const
type Name = keyof typeof NODES
const LEASE = `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases/ppn-authority`
const OFFICE = objectPath('Archive', { name: 'cluster-totebox-office-1', namespace: 'default' })
const LAPTOP = objectPath('Archive', { name: 'gateway-orchestration-travel-1', namespace: 'default' })

let replicas: Replicas
let fleet: Machines
let weight = 300
const proxies = {} as Record<Name, FaultProxy>
const kubeconfigs = {} as Record<Name, string>
const running = {} as Record<Name, Replica>
const addresses = {} as Record<Name, string>

/** Failover, in seconds, by what had happened to the leader: to the Lease taken, to the first PING, to a change in force. */
const measured = new Map<string, { lease: number; ping: number; change: number }[]>()

const userOf = (name: Name) => `system:serviceaccount:${NAMESPACE}:replica-${name}`
const other = (name: Name): Name => (name === 'a' ? 'b' : 'a')

beforeAll(async () => {
  const { kubectl } = cluster()
  await kubectl(['apply', '-f', '-'], await officeElsewhere(Object.values(NODES)))
  replicas = await replicasOf()
  for (const name of ['a', 'b'] as const) {
    const account = `replica-${name}`
    await kubectl(['create', 'serviceaccount', account, '-n', NAMESPACE])
    const who = `--serviceaccount=${NAMESPACE}:${account}`
    await kubectl(['create', 'clusterrolebinding', account, '--clusterrole=ppn-authority', who])
    await kubectl(['create', 'rolebinding', account, '-n', NAMESPACE, '--role=ppn-authority', who])
    proxies[name] = await faultProxy(cluster())
    const token = (await kubectl(['create', 'token', account, '-n', NAMESPACE])).trim()
    kubeconfigs[name] = await cluster().writeKubeconfig(account, { token, url: proxies[name].url })
  }
  // At the same instant.
  await Promise.all([start('a'), start('b')])
  fleet = machinesOf({
    ...{ cluster: cluster(), transport: loopbackTransport(), which: 'simulated' },
    leader: replicas.leader,
  })
  await fleet.ready()
  for (const { metadata, status } of await listed(cluster(), ['Node']))
    for (const name of ['a', 'b'] as const) if (NODES[name] === metadata.name) addresses[name] = status?.address ?? ''
})
afterAll(async () => {
  await replicas?.stop()
  await fleet?.stop()
  for (const proxy of Object.values(proxies)) await proxy.close()
  if (measured.size > 0) process.stdout.write(`${table()}\n`)
})

async function start(name: Name): Promise<void> {
  running[name] = await replicas.start({ name, kubeconfig: kubeconfigs[name], node: NODES[name], keepUp: true })
}

async function holder(): Promise<Name | undefined> {
  const answer = await cluster().request('GET', LEASE)
  if (answer.status !== 200) return undefined
  const { spec } = answer.json() as { spec: { holderIdentity?: string } }
  return (spec.holderIdentity || undefined) as Name | undefined
}
async function term(): Promise<number> {
  const { value } = (await cluster().request('GET', `${recordsPath(NAMESPACE)}/${recordName('term')}`)).json()
  return Number(value)
}
const isWrite = ({ verb }: Audited) => ['create', 'update', 'patch', 'delete'].includes(verb)
/** What a replica asked the server to change, its Lease aside, whether it was let or not. */
const writesOf = async (name: Name, sinceMs: number) =>
  (await auditOf(cluster().auditLog)).filter(
    (line) => line.user === userOf(name) && isWrite(line) && line.atMs > sinceMs && !line.resource.startsWith('leases'),
  )

async function until<T>(what: string, look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  const deadline = performance.now() + TAKEN_WITHIN_MS
  for (;;) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    if (performance.now() > deadline) {
      const words = await Promise.all(Object.values(running).map((replica) => replica.words()))
      throw new Error([`not within ${TAKEN_WITHIN_MS / 1000} s: ${what}`, ...words].join('\n'))
    }
    await wait(20)
  }
}
const standingBy = (name: Name) =>
  until(`replica ${name} stands by`, async () =>
    (await running[name].words()).includes('standing by') ? true : undefined,
  )

async function weigh(archive: string, to: number): Promise<void> {
  const body = { spec: { cpu: { weight: to } } }
  const patched = await cluster().request('PATCH', archive, body, 'application/merge-patch+json')
  expect(patched.status).toBe(200)
}

interface Failover {
  what: string
  /** Does it to the leader. */
  strike(leader: Name): Promise<void> | void
  /** When the other leads: what becomes of the one that did. Resolves when that is over. */
  after(old: Name): Promise<void>
}

/** Something is declared in the very moment, so that both have something to do. */
async function failover({ what, strike, after }: Failover): Promise<void> {
  const old = await until('somebody leads', holder)
  const next = other(old)
  await standingBy(next)
  await fleet.ready()
  const [facts, before] = [await lasting(cluster()), await term()]
  const since: Since = fleet.since()
  running[old].leaveIt()
  const struckMs = performance.now()
  await strike(old)
  const declared = ++weight
  await weigh(LAPTOP, declared)
  await until(`${next} leads`, async () => ((await holder()) === next ? true : undefined))
  const [takenMs, takenAtMs] = [performance.now(), Date.now()]
  const from = (command: GotCommand, name: Name) => command.from === addresses[name]
  const ping = await until('its first PING', () => since.commands().find((c) => c.op === 'PING' && from(c, next)))
  const weighed = () => since.driverCalls().filter((c) => c.call === 'cgroup.setWeight' && c.value === declared)
  const change = await until('the change', () => weighed()[0])
  await after(old)
  await fleet.ready()

  const seconds = (ms: number) => (ms - struckMs) / 1000
  const row = { lease: seconds(takenMs), ping: seconds(ping.atMs), change: seconds(change.atMs) }
  measured.set(what, [...(measured.get(what) ?? []), row])

  expect(await term()).toBe(before + 1)
  // PING, one a node, and the command that was declared: by the new one; no packet by the old one.
  expect(since.commands().filter((c) => from(c, old) && c.lastMs > takenMs)).toEqual([])
  const ops = since.commands().flatMap((c) => (from(c, next) ? [c.op] : []))
  expect(ops.sort()).toEqual(['PING', 'PING', 'PING', 'PING', 'WEIGHT'])
  expect(since.bundles()).toEqual([])
  expect(since.driverCalls().filter((c) => c.value === declared)).toHaveLength(1)
  expect([...new Set(since.driverCalls().map(({ call }) => call))]).toEqual(['cgroup.setWeight'])
  expect(await writesOf(old, takenAtMs)).toEqual([])
  expect(await lasting(cluster())).toEqual(facts)
  expect(await holder()).toBe(next)
  await start(old)
}

const exits = (name: Name, code: number) =>
  until(`replica ${name} ends`, () => (running[name].process.ended() ? true : undefined)).then(() =>
    expect(running[name].process.exitCode()).toBe(code),
  )

test('both are started at the same instant, and one leads', async () => {
  const leader = await until('somebody leads', holder)
  expect(await term()).toBe(1 + running[leader].restarts)
  await standingBy(other(leader))
  expect(await writesOf(other(leader), 0)).toEqual([])
  const all = fleet.since()
  await wait(1_000)
  expect(all.commands()).toEqual([])
})

test.for(Array.from({ length: RUNS }, (_, run) => run))('SIGTERM, run %i: the Lease is given back', () =>
  failover({
    what: 'SIGTERM',
    strike: (leader) => void process.kill(running[leader].process.pid, 'SIGTERM'),
    after: (old) => exits(old, 0),
  }),
)

test.for(Array.from({ length: RUNS }, (_, run) => run))(
  'SIGKILL, run %i, and a Lease that says it was renewed an hour from now: nobody’s wall clock is trusted',
  () =>
    failover({
      what: 'SIGKILL',
      async strike(leader) {
        await running[leader].stop('SIGKILL')
        const renewTime = new Date(Date.now() + 3_600_000).toISOString().replace('Z', '000Z')
        const skewed = await cluster().request('PATCH', LEASE, { spec: { renewTime } }, 'application/merge-patch+json')
        expect(skewed.status).toBe(200)
      },
      after: async () => {},
    }),
)

test.for(Array.from({ length: RUNS }, (_, run) => run))('SIGSTOP, run %i: resumed, it ends', () =>
  failover({
    what: 'SIGSTOP, resumed',
    // In the midst of a command that is to be repeated, as its effect is not shown: what is due when it goes on.
    async strike(leader) {
      const office = fleet.simulated.get('office-1')
      const sent = fleet.since()
      office?.cutTelemetry(true)
      await weigh(OFFICE, ++weight)
      await until('a command', () => sent.commands()[0])
      running[leader].process.freeze()
      office?.cutTelemetry(false)
    },
    async after(old) {
      // Longer than everything that it had planned to do by then.
      await wait(LONG ? 12_000 : 1_000)
      running[old].process.thaw()
      await exits(old, 2)
    },
  }),
)

if (LONG)
  test.for(['down', 'mute'].flatMap((way) => Array.from({ length: RUNS }, () => way)))(
    'its way to the API server %s, the mesh as ever: it stops by itself before the other begins',
    (way) =>
      failover({
        what: way === 'down' ? 'API server refused to it alone' : 'API server mute to it alone',
        strike: (leader) => proxies[leader].set(way === 'down' ? { down: true } : { mute: true }),
        async after(old) {
          await exits(old, 2)
          proxies[old].set({})
        },
      }),
  )

test('a Lease that says it was renewed an hour ago is still its leader’s', async () => {
  const leader = await until('somebody leads', holder)
  await standingBy(other(leader))
  const [before, since] = [await term(), fleet.since()]
  const renewTime = new Date(Date.now() - 3_600_000).toISOString().replace('Z', '000Z')
  await cluster().request('PATCH', LEASE, { spec: { renewTime } }, 'application/merge-patch+json')
  await wait(6_000)
  expect([await holder(), await term()]).toEqual([leader, before])
  expect(since.commands()).toEqual([])
})

/** As docs/kubernetes.md shows it: median and worst. */
function table(): string {
  const of = (values: number[]) => {
    const sorted = values.toSorted((a, b) => a - b)
    return `${sorted[Math.floor((sorted.length - 1) / 2)]?.toFixed(1)} / ${sorted.at(-1)?.toFixed(1)} s`
  }
  const lines = [...measured].map(([what, rows]) => [
    ...[what, rows.length, of(rows.map((r) => r.lease)), of(rows.map((r) => r.ping)), of(rows.map((r) => r.change))],
  ])
  const head = ['the leader', 'runs', 'Lease taken after', 'first PING after', 'change in force after']
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}
