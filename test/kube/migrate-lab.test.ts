// `ppn migrate --to-cluster` and back under a fleet over real WireGuard: what its packets, tunnels, agents and machines
// notice of it.
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { keyOf } from '../../api/meta.ts'
import { type AdminClient, connectAdmin } from '../../authority/admin/client.ts'
import { systemProcesses } from '../../base/processes.ts'
import { type Lab, startLab } from '../lab/lab.ts'
import { startProbe } from '../lab/probe.ts'
import { fleetReady } from '../lab/ready.ts'
import { REPOSITORY } from '../lab/repository.ts'
import installPackages from '../system/packages.ts'
import { freshCluster } from './fresh-cluster.ts'
import { type LabReplica, type LabReplicasOptions, reachFrom, relayTo, soon, startReplica } from './lab-authority.ts'
import { SECRET } from './migrate-fleet.ts'
import { mountSecret } from './mount-secret.ts'
import { NAMESPACE } from './reign.ts'

const cluster = freshCluster('manifests/base')
const [HUB, OFFICE, LAPTOP] = ['relay', 'office-1', 'laptop-1'] as const
const NODES = [HUB, OFFICE, LAPTOP]
const MESH = { [HUB]: '10.8.0.1', [OFFICE]: '10.8.0.10' }
/** Nothing is asserted about how fast; a defect takes for ever. */
const WITHIN_MS = 90_000

let root: string
let options: LabReplicasOptions
let lab: Lab
let relay: { close(): void }
let replica: LabReplica | undefined

beforeAll(async () => {
  await installPackages()
  root = await mkdtemp(join(tmpdir(), 'ppn-migrate-'))
  const fleet = join(root, 'fleet')
  await cp(join(REPOSITORY, 'examples/office'), fleet, { recursive: true })
  const token = (await cluster().kubectl(['create', 'token', 'ppn-authority', '-n', NAMESPACE])).trim()
  const kubeconfig = await cluster().writeKubeconfig('authority', { token })
  const [socket, keys] = [join(root, 'api.sock'), join(root, 'keys')]
  relay = await relayTo(cluster().url, socket)
  lab = await startLab({
    ...{ processes: systemProcesses(), folder: join(root, 'lab'), fleet, owned: true },
    async beforeFleet(network) {
      options = { network, folder: root, keys, kubeconfig }
      await reachFrom(network, HUB, cluster().url, socket)
    },
  })
  await fleetReady(lab.fleet)
}, 300_000)
afterAll(async () => {
  replica?.kill('SIGKILL')
  await lab?.end()
  relay?.close()
  await rm(root, { recursive: true, force: true })
})

/** What a node has that no move of its authority may touch. */
async function untouched(node: string, admin: AdminClient) {
  const wg = async (what: string) => {
    const { stdout } = await lab.network.host(node).processes.run('wg', ['show', 'ppn0', what])
    return stdout.trim().split('\n').toSorted()
  }
  const view = (await admin.explain(keyOf('Node', node)))?.view
  const { archives = [], bundles } = view?.report ?? {}
  return {
    agent: [lab.fleet.agentPid(node), view?.bootId],
    tunnel: await Promise.all(['public-key', 'peers', 'allowed-ips', 'persistent-keepalive'].map(wg)),
    bundle: bundles?.applied,
    machines: archives.map(({ id, slot, lifecycle, restarts }) => ({ id, slot, lifecycle, restarts })),
  }
}
const fleetUntouched = async (admin: AdminClient) => Promise.all(NODES.map((node) => untouched(node, admin)))

const folderAdmin = async () => {
  await fleetReady(lab.fleet)
  return lab.fleet.admin()
}
async function stopFolderAuthority(): Promise<void> {
  process.kill(lab.fleet.authorityPid() as number, 'SIGTERM')
  await soon("the folder's authority ended", WITHIN_MS, async () => lab.fleet.authorityPid() === undefined)
}
const migrate = async (direction: string) => {
  const { fleet, state } = lab.fleet.paths
  const place = ['--state', state, '--kubeconfig', cluster().kubeconfig]
  const ran = await lab.fleet.ppn(HUB, ['migrate', direction, fleet, ...place])
  expect(ran, ran.stderr).toMatchObject({ exitCode: 0 })
}

test('there and back: no packet is lost, no agent, tunnel or machine is touched', { timeout: 600_000 }, async () => {
  const before = await fleetUntouched(await folderAdmin())
  expect(before.flatMap(({ machines }) => machines).length).toBe(3)
  const probes = await Promise.all([
    startProbe(lab.network.host(OFFICE), MESH[HUB]),
    startProbe(lab.network.host(LAPTOP), MESH[OFFICE]),
  ])
  await stopFolderAuthority()
  await migrate('--to-cluster')
  await mountSecret(cluster(), SECRET, options.keys)
  replica = await startReplica(options, HUB)
  const admin = async () => {
    const client = (await replica?.serving())?.admin
    if (!client) throw new Error('the replica does not speak')
    return client
  }
  await fleetReady({ admin })
  expect(await fleetUntouched(await admin())).toEqual(before)

  replica.kill('SIGTERM')
  await soon('the replica ended', WITHIN_MS, async () => replica?.ended()?.code === 0)
  await migrate('--to-folder')
  lab.fleet.startAuthority()
  await soon('the folder leads', WITHIN_MS, async () => (await connectAdmin(lab.fleet.paths.state)) !== undefined)
  expect(await fleetUntouched(await folderAdmin())).toEqual(before)

  const results = await Promise.all(probes.map((probe) => probe.stop()))
  for (const { sent, lost, outageMs } of results)
    process.stdout.write(
      `moved there and back: ${lost} of ${sent} packets lost, longest silence ${Math.round(outageMs)} ms\n`,
    )
  expect(results.map(({ lost }) => lost)).toEqual([0, 0])
})
