// `ppn authority --cluster` as processes under its own role: two replicas, one leads; what stops it, and who goes on.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { inspectChain } from '../../base/chained-log.ts'
import { loopbackTransport } from '../../base/loopback-transport.ts'
import { systemProcesses } from '../../base/processes.ts'
import { objectPath } from '../../stores/kube/resources.ts'
import { freshCluster } from './fresh-cluster.ts'
import { lasting, type Machines, machinesOf } from './machines.ts'
import { NAMESPACE } from './reign.ts'
import { officeElsewhere, type Replica, type Replicas, replicasOf } from './replica.ts'

const cluster = freshCluster('manifests/base')
const MAIN = join(import.meta.dirname, '../../cli/main.ts')
const ARCHIVE = { name: 'cluster-totebox-office-1', namespace: 'default' }
/** Long enough for a command or a bundle that ought not to go out. */
const QUIET_MS = 3_000
const WITHIN_MS = 60_000

let kubeconfig: string
let replicas: Replicas
let first: Replica
let second: Replica
let fleet: Machines

/** `ppn` as a person runs it, in the pod of a replica. */
const ppn = (replica: Replica, args: readonly string[]) =>
  systemProcesses().run(process.execPath, [MAIN, ...args, '--state', replica.state], { timeoutMs: WITHIN_MS })
const get = async (replica: Replica, path: string) => {
  const port = /health and metrics .*port=(\d+)/.exec(await replica.words())?.[1]
  const answer = await fetch(`http://127.0.0.1:${port}${path}`)
  return { status: answer.status, text: await answer.text() }
}
async function until(what: string, happened: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + WITHIN_MS
  while (!(await happened().catch(() => false))) {
    if (Date.now() > deadline) throw new Error(`within ${WITHIN_MS / 1000} s: ${what}`)
    await wait(50)
  }
}
const leads = async (replica: Replica) =>
  (await get(replica, '/readyz?verbose')).text.includes('leadership ok: leading')
const weigh = (weight: number) =>
  cluster().request('PATCH', objectPath('Archive', ARCHIVE), { spec: { cpu: { weight } } }, MERGE)
const MERGE = 'application/merge-patch+json'

beforeAll(async () => {
  const token = (await cluster().kubectl(['create', 'token', 'ppn-authority', '-n', NAMESPACE])).trim()
  kubeconfig = await cluster().writeKubeconfig('authority', { token })
  await cluster().kubectl(['apply', '-f', '-'], await officeElsewhere())
  replicas = await replicasOf()
  first = await replicas.start({ name: 'first', kubeconfig })
  await until('the first one leads', () => leads(first))
  second = await replicas.start({ name: 'second', kubeconfig })
  fleet = machinesOf({
    ...{ cluster: cluster(), transport: loopbackTransport(), which: 'fake' },
    leader: replicas.leader,
  })
  await fleet.ready()
})
afterAll(async () => {
  await replicas?.stop()
  await fleet?.stop()
})

test('the fleet converges under its own role; both replicas show it, one acts', async () => {
  await until('the second one stands by', async () => (await get(second, '/readyz')).status === 200)
  const verbose = async (replica: Replica) => (await get(replica, '/readyz?verbose')).text
  expect(await verbose(first)).toMatch(/^\[\+\]serving ok: term 1$/m)
  expect(await verbose(second)).toContain('[+]leadership ok: standing by, first leads')
  const metrics = async (replica: Replica) => (await get(replica, '/metrics')).text
  expect(await metrics(first)).toContain('leader_election_master_status{name="ppn-authority"} 1')
  const standing = await metrics(second)
  expect(standing).toContain('leader_election_master_status{name="ppn-authority"} 0')
  for (const what of ['status', 'finalizers', 'objects', 'records', 'registry', 'events'])
    expect(standing).toContain(`ppn_kube_writes_total{what="${what}"} 0`)

  for (const replica of [first, second]) {
    const { stdout } = await ppn(replica, ['get', 'nodes'])
    expect(stdout, replica.name).toMatch(/relay +hub +\S+ +True/)
  }
  expect((await ppn(first, ['explain', 'node/relay'])).exitCode).toBe(0)
  const asked = await ppn(second, ['explain', 'node/relay'])
  expect(asked.stderr).toContain('this replica stands by; first leads')
  // The registry is what the folder would hold, in pieces that nobody changes.
  const lines = await cluster().kubectl(['get', 'registrylines', '-n', NAMESPACE, '-o', 'jsonpath={.items[*].text}'])
  expect(lines.match(/"type":"enrol"/g)).toHaveLength(3)
  const patch = ['patch', 'registrylines', 'nodes-000001', '-n', NAMESPACE, '--type=merge', '-p', '{"text":"mine"}']
  expect((await cluster().tryKubectl(patch)).stderr).toContain('a line of the registry is never changed')
})

test('an annotation on the Mesh stops everything that goes out; any replica can set it and take it off', async () => {
  const before = fleet.since()
  await cluster().kubectl(['annotate', 'mesh.ppn.dev/default', 'ppn.dev/brake=moving the rack'])
  const braked = ['wait', '--for=condition=Braked', 'mesh.ppn.dev/default', '--timeout=60s']
  await cluster().kubectl(braked)
  await weigh(700)
  await cluster().request('PATCH', objectPath('ResourcePool', { name: 'office-1' }), POOL, MERGE)
  await wait(QUIET_MS)
  expect([before.commands(), before.bundles()]).toEqual([[], []])
  expect((await ppn(second, ['brake', 'status'])).stdout).toBe('set: moving the rack\n')

  expect((await ppn(second, ['brake', 'off'])).exitCode).toBe(0)
  await until('the command and the bundle go out', async () => {
    const ops = before.commands().map(({ op }) => op)
    return ops.includes('WEIGHT') && before.bundles().length > 0
  })
  await fleet.ready()
  expect((await ppn(first, ['brake', 'on', '--reason', 'by hand'])).exitCode).toBe(0)
  await cluster().kubectl(braked)
  expect((await ppn(first, ['brake', 'off'])).exitCode).toBe(0)
  await cluster().kubectl(['wait', '--for=condition=Braked=False', 'mesh.ppn.dev/default', '--timeout=60s'])
  await fleet.ready()
})
const POOL = { spec: { cpu: { reservedWeight: 120 } } }

test('a leader that is asked to stop gives the Lease back: the other one goes on under a higher term, with PINGs alone', async () => {
  const facts = await lasting(cluster())
  const since = fleet.since()
  const stopping = performance.now()
  await first.stop()
  await until('the second one leads', () => leads(second))
  const tookMs = performance.now() - stopping
  await until('every node was asked', async () => since.commands().length >= 3)
  await wait(QUIET_MS)
  await fleet.ready()
  expect([...new Set(since.commands().map(({ op }) => op))]).toEqual(['PING'])
  expect(since.bundles()).toEqual([])
  expect(await lasting(cluster())).toEqual(facts)
  // Not the 15 s that a Lease lasts: it was given back.
  expect(tookMs).toBeLessThan(12_000)
  expect((await get(second, '/readyz?verbose')).text).toMatch(/^\[\+\]serving ok: term 2$/m)

  // One chain through both of them: nothing of the audit is missing.
  const lines = [...(await first.audit()), ...(await second.audit())]
  const { head, fault } = inspectChain(Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join('')), '', {})
  expect(fault).toBeUndefined()
  expect(head.count).toBe(lines.length)
  expect(lines.filter(({ entry }) => (entry as { kind: string }).kind === 'term')).toHaveLength(2)
})

test('a leader whose Lease another one holds ends at once, and says why', async () => {
  const steal = { spec: { holderIdentity: 'somebody-else', renewTime: '2026-01-01T00:00:00.000000Z' } }
  const since = fleet.since()
  await cluster().kubectl([
    '-n',
    NAMESPACE,
    'patch',
    'lease',
    'ppn-authority',
    '--type=merge',
    '-p',
    JSON.stringify(steal),
  ])
  const stolen = performance.now()
  await until('it ended', async () => second.process.ended())
  // It looks every 2 s; what is slower is this machine.
  expect(performance.now() - stolen).toBeLessThan(12_000)
  expect(await second.words()).toMatch(/this replica leads no more: somebody-else holds it.*LeadershipLost/s)
  await wait(QUIET_MS)
  expect(since.commands()).toEqual([])
})

test('without its keys it does not start, and names the command that makes them', async () => {
  const empty = await mkdtemp(join(tmpdir(), 'ppn-no-keys-'))
  try {
    const args = [
      'authority',
      '--cluster',
      '--kubeconfig',
      kubeconfig,
      '--keys',
      empty,
      '--state',
      empty,
      '--metrics-port',
      '0',
    ]
    const { exitCode, stderr } = await systemProcesses().run(process.execPath, [MAIN, ...args], {
      timeoutMs: WITHIN_MS,
    })
    expect(exitCode).toBe(2)
    expect(stderr).toContain('KeysNotMounted')
    expect(stderr).toContain('ppn keys new --secret ppn-authority-keys')
  } finally {
    await rm(empty, { recursive: true })
  }
})
