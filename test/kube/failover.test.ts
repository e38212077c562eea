// Two replicas of the authority beside the agents of two nodes, over real WireGuard in network namespaces: how long the
// fleet is without one, and that one which was thought dead does nothing when it wakes up.
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Condition } from '../../api/meta.ts'
import { newKeyFile } from '../../authority/keys/new-keys.ts'
import type { ChainHead } from '../../base/chained-log.ts'
import { systemClock } from '../../base/clock.ts'
import { collectedChain } from '../../base/collected-chain.ts'
import { diskFiles } from '../../base/disk-files.ts'
import { systemProcesses } from '../../base/processes.ts'
import { systemRandom } from '../../base/random.ts'
import { alignRows } from '../../cli/output/table.ts'
import { generateEd25519 } from '../../protocol/keys.ts'
import { objectPath } from '../../stores/kube/resources.ts'
import { packetsIn, startCapture } from '../lab/capture.ts'
import { type Lab, startLab } from '../lab/lab.ts'
import { type ProbeResult, startProbe } from '../lab/probe.ts'
import { fleetReady } from '../lab/ready.ts'
import { REPOSITORY } from '../lab/repository.ts'
import installPackages from '../system/packages.ts'
import { freshCluster } from './fresh-cluster.ts'
import { type LabReplica, type LabReplicasOptions, reachFrom, relayTo, soon, startReplica } from './lab-authority.ts'
import { NAMESPACE } from './reign.ts'

const cluster = freshCluster('manifests/base')
const [HUB, OFFICE] = ['relay', 'office-1'] as const
const NODES = [HUB, OFFICE, 'laptop-1']
const MESH = { [HUB]: '10.8.0.1', [OFFICE]: '10.8.0.10' }
const ARCHIVE = objectPath('Archive', { name: 'gateway-orchestration-travel-1', namespace: 'default' })
/** Nothing is asserted about how fast; a defect takes for ever. */
const WITHIN_MS = 90_000
const TEST_MS = 600_000
/** Longer than a renewal and than any retry of a command that a waking leader had under way. */
const AFTERWARDS_MS = 8_000

const rows: string[][] = []
const replicas = new Map<string, LabReplica>()
let root: string
let options: LabReplicasOptions
let lab: Lab
let relay: { close(): void }
let weight = 300

const replica = (node: string) => replicas.get(node) as LabReplica
const leaderNow = async () => {
  const all = await Promise.all([...replicas.values()].map(async (one) => ({ one, serving: await one.serving() })))
  return all.find(({ serving }) => serving !== undefined)
}
const start = async (node: string) => void replicas.set(node, await startReplica(options, node))

beforeAll(async () => {
  await installPackages()
  root = await mkdtemp(join(tmpdir(), 'ppn-failover-'))
  const fleet = join(root, 'fleet')
  await cp(join(REPOSITORY, 'examples/office'), fleet, { recursive: true })
  const mesh = join(fleet, 'mesh.yaml')
  await writeFile(mesh, `${await readFile(mesh, 'utf8')}  authorityNodes: [${HUB}, ${OFFICE}]\n`)
  const keys = join(root, 'keys')
  await mkdir(keys, { mode: 0o700 })
  const operator = generateEd25519(systemRandom).publicKey
  await diskFiles(keys).write('authority', await newKeyFile({ random: systemRandom, clock: systemClock() }, operator))
  const token = (await cluster().kubectl(['create', 'token', 'ppn-authority', '-n', NAMESPACE])).trim()
  const kubeconfig = await cluster().writeKubeconfig('authority', { token })
  const socket = join(root, 'api.sock')
  relay = await relayTo(cluster().url, socket)
  lab = await startLab({
    ...{ processes: systemProcesses(), folder: join(root, 'lab'), fleet, owned: true },
    async beforeFleet(network) {
      options = { network, folder: root, keys, kubeconfig }
      for (const node of [HUB, OFFICE]) await reachFrom(network, node, cluster().url, socket)
    },
    authority: {
      async start(folder) {
        await cluster().kubectl(['apply', '-R', '-f', folder])
        await start(HUB)
        await soon('a first leader', WITHIN_MS, async () =>
          (await replica(HUB).words()).includes('the authority leads'),
        )
        await start(OFFICE)
      },
      admin: async () => (await leaderNow())?.serving?.admin ?? replica(HUB).admin(),
    },
  })
  await fleetReady(lab.fleet)
})
afterAll(async () => {
  for (const one of replicas.values()) one.kill('SIGKILL')
  await lab?.end()
  relay?.close()
  await rm(root, { recursive: true, force: true })
  const head = ['WHAT HAPPENED TO THE LEADER', 'ANOTHER SPEAKS', 'EVERY NODE HEARD', 'CHANGE IN FORCE', 'PACKETS LOST']
  if (rows.length > 0) process.stdout.write(`\n${alignRows([head, ...rows])}\n`)
})

interface Archive {
  metadata: { generation: number }
  status?: { weight?: number; conditions: Condition[] }
}
const inForce = async (wanted: number) =>
  ((await cluster().request('GET', ARCHIVE)).json() as unknown as Archive).status?.weight === wanted
const declareWeight = () => {
  weight++
  const body = { spec: { cpu: { weight } } }
  return cluster().request('PATCH', ARCHIVE, body, 'application/merge-patch+json')
}

/** Something happens to the leader, and a change is declared in the same moment. Resolves with who leads then. */
async function fails(what: string, from: string, to: string, happens: () => void): Promise<void> {
  await fleetReady(lab.fleet)
  const { term } = (await replica(from).serving()) as { term: number }
  await soon('the other one stands by', WITHIN_MS, () => replica(to).standsBy())
  const probe = await startProbe(lab.network.host('laptop-1'), MESH[HUB])
  const began = performance.now()
  const since = () => `${((performance.now() - began) / 1000).toFixed(1)} s`
  happens()
  await declareWeight()
  await soon(`${to} speaks`, WITHIN_MS, async () => (await replica(to).serving()) !== undefined)
  const speaks = since()
  const heard = soon('every node is heard', WITHIN_MS, async () => {
    const admin = await replica(to).admin()
    const views = await Promise.all(NODES.map(async (node) => (await admin?.explain(`Node/${node}`))?.view))
    return views.every((view) => view?.liveness === 'Fresh')
  }).then(since)
  const done = soon('the change is in force', WITHIN_MS, () => inForce(weight)).then(since)
  rows.push([what, speaks, await heard, await done, ''])
  const result: ProbeResult = await probe.stop()
  rows.at(-1)?.splice(4, 1, `${result.lost} of ${result.sent}`)
  expect((await replica(to).serving())?.term).toBeGreaterThan(term)
  await fleetReady(lab.fleet)
}

test(
  'asked to stop, it gives the Lease back',
  async () => {
    await fails('SIGTERM: gives the Lease back', HUB, OFFICE, () => replica(HUB).kill('SIGTERM'))
    await soon('it ended', WITHIN_MS, async () => replica(HUB).ended()?.code === 0)
  },
  TEST_MS,
)

test(
  'killed, it is waited for as long as a Lease lasts',
  async () => {
    await start(HUB)
    await fails('SIGKILL', OFFICE, HUB, () => replica(OFFICE).kill('SIGKILL'))
  },
  TEST_MS,
)

test(
  'stopped and woken up, it sends nothing, and ends',
  async () => {
    await start(OFFICE)
    await fails('SIGSTOP', HUB, OFFICE, () => replica(HUB).kill('SIGSTOP'))
    const file = join(root, 'woken.pcap')
    const sent = `src host ${MESH[HUB]} and (udp dst port 8090 or (tcp dst port 8092 and tcp[tcpflags] & tcp-push != 0))`
    const capture = await startCapture(lab.network.host(HUB), lab.fleet.declared.interface, file, sent)
    const audited = await replica(HUB).audit()
    // What it finds when it wakes up: a change that the other one is seeing to.
    await declareWeight()
    replica(HUB).kill('SIGCONT')
    await soon('it ended', WITHIN_MS, async () => replica(HUB).ended() !== undefined)
    await soon('the change is in force', WITHIN_MS, () => inForce(weight))
    await wait(AFTERWARDS_MS)
    await capture.stop()
    expect(replica(HUB).ended()).toEqual({ code: 2, signal: null })
    expect(await replica(HUB).words()).toContain('LeadershipLost')
    expect(await packetsIn(systemProcesses(), file, '')).toEqual([])
    expect(await replica(HUB).audit()).toBe(audited)
    await fleetReady(lab.fleet)
  },
  TEST_MS,
)

test('what both have audited is one chain, whoever was killed', async () => {
  const chain = collectedChain(({ instance }) => String(instance))
  for (const one of replicas.values()) for (const line of (await one.audit()).split('\n')) chain.add(line)
  // As docs/cli.md has it.
  const jsonpath = 'jsonpath={.items[?(@.key=="audit/head")].value}'
  const recorded = await cluster().kubectl(['-n', NAMESPACE, 'get', 'records.internal.ppn.dev', '-o', jsonpath])
  const { head, ...report } = chain.report(JSON.parse(recorded) as ChainHead)
  expect(report).toMatchObject({ first: 1, others: 0, faults: [] })
  expect(head.count).toBeGreaterThan(0)
})
