// manifests/overlays against the real API server: taken without a warning, by admission too; and what their pod runs, run
// as it says.
import { realpathSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseAllDocuments, stringify } from 'yaml'
import { newKeyFile } from '../../authority/keys/new-keys.ts'
import { systemClock } from '../../base/clock.ts'
import { systemRandom } from '../../base/random.ts'
import { generateEd25519, toBase64 } from '../../protocol/keys.ts'
import { absentFrom, readScrape, selectorsOf } from './alerts/scrape.ts'
import { AUTHORITY, auditOf } from './audit.ts'
import { freshCluster } from './fresh-cluster.ts'
import { type Deployment, type Pod, privileges, startPod } from './pod.ts'

const cluster = freshCluster('manifests/base')
const OVERLAYS = ['single', 'ha', 'hosts'] as const
type Overlay = (typeof OVERLAYS)[number]
const NAMESPACE = 'ppn-system'

interface Manifest {
  kind: string
  metadata: { name: string; namespace?: string; labels?: Record<string, string> }
  [more: string]: unknown
}
const texts = new Map<string, Promise<string>>()
const built = async (path: string): Promise<Manifest[]> => {
  const text = texts.get(path) ?? cluster().kubectl(['kustomize', path])
  texts.set(path, text)
  return parseAllDocuments(await text).map((document) => document.toJS() as Manifest)
}
const deploymentOf = async (overlay: Overlay): Promise<Deployment> => {
  const found = (await built(`manifests/overlays/${overlay}`)).find(({ kind }) => kind === 'Deployment')
  return found as unknown as Deployment
}
/** The pod that the Deployment's controller would make. */
const podOf = ({ spec: { template } }: Deployment, change: object = {}) => ({
  ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'tried', namespace: NAMESPACE, ...template.metadata } },
  spec: { ...template.spec, ...change },
})
const tryPod = (pod: object) => cluster().tryKubectl(['create', '--dry-run=server', '-f', '-'], JSON.stringify(pod))

/** A network of loopback that no other test of this machine has. */
const [a = 0, b = 0] = systemRandom(2)
const NETWORK = `127.${64 + (a % 128)}.${b}`
const pods: Pod[] = []
afterAll(async () => {
  for (const pod of pods) await pod.stop()
})

test('each overlay builds, and the server takes it without a warning', async () => {
  for (const overlay of OVERLAYS) {
    const path = `manifests/overlays/${overlay}`
    const { exitCode, stderr } = await cluster().tryKubectl(['apply', '--server-side', '-k', path])
    expect(stderr, overlay).toBe('')
    expect(exitCode).toBe(0)
    // A dry run of the same on the server: it is taken again, and changes nothing.
    const again = await cluster().tryKubectl(['diff', '--server-side', '-k', path])
    expect(again, overlay).toEqual({ exitCode: 0, stdout: '', stderr: '' })
  }
})

test('Pod Security: restricted takes the pods of single and ha; of the hosts’ it refuses the network alone', async () => {
  await cluster().kubectl(['apply', '--server-side', '-k', 'manifests/overlays/single'])
  for (const overlay of ['single', 'ha'] as const) {
    const { exitCode, stderr } = await tryPod(podOf(await deploymentOf(overlay)))
    expect(stderr, overlay).toBe('')
    expect(exitCode).toBe(0)
  }
  // That the level is looked at: the same pod with one thing less.
  const careless = await tryPod(podOf(await deploymentOf('single'), { securityContext: {} }))
  expect(careless.stderr).toContain('violates PodSecurity "restricted:latest"')

  const hosts = await deploymentOf('hosts')
  const refused = (await tryPod(podOf(hosts))).stderr
  const why = /violates PodSecurity "restricted:latest": (.*)$/m.exec(refused)?.[1] ?? refused
  expect(
    why
      .split(/, (?=[a-zA-Z]+ \()/)
      .map((reason) => reason.split(' (')[0])
      .sort(),
  ).toEqual(['host namespaces', 'hostPort'])
  expect((await tryPod(podOf(hosts, { hostNetwork: false }))).stderr).toBe('')

  await cluster().kubectl(['apply', '--server-side', '-k', 'manifests/overlays/hosts'])
  expect((await tryPod(podOf(hosts))).stderr).toBe('')
})

test('no manifest holds a secret, and no pod gets a token that does not ask for it', async () => {
  for (const overlay of OVERLAYS) {
    const all = await built(`manifests/overlays/${overlay}`)
    expect(all.filter(({ kind }) => kind === 'Secret')).toEqual([])
    for (const { kind, ...rest } of all)
      if (kind === 'ServiceAccount') expect(rest).toMatchObject({ automountServiceAccountToken: false })
    // Of one namespace, and selected by the labels that the pods have.
    const { template } = (await deploymentOf(overlay)).spec
    const selecting = all.filter(({ kind }) => ['Service', 'PodDisruptionBudget', 'NetworkPolicy'].includes(kind))
    expect(selecting.length, overlay).toBe(overlay === 'single' ? 2 : overlay === 'ha' ? 3 : 2)
    for (const { kind, metadata, spec } of selecting as (Manifest & { spec: Record<string, object> })[]) {
      const { selector, podSelector } = spec
      const labels =
        (selector as { matchLabels?: object })?.matchLabels ?? (podSelector as { matchLabels?: object })?.matchLabels
      expect(labels ?? selector, kind).toEqual(template.metadata.labels)
      expect(metadata.namespace, kind).toBe(NAMESPACE)
    }
  }
})

test('the component for the Prometheus operator builds on every overlay', async () => {
  for (const overlay of OVERLAYS) {
    const folder = await mkdtemp(join(tmpdir(), 'ppn-overlay-'))
    try {
      // kustomize takes no absolute paths.
      const here = (path: string) => relative(realpathSync(folder), join(process.cwd(), path))
      await writeFile(
        join(folder, 'kustomization.yaml'),
        stringify({
          resources: [here(`manifests/overlays/${overlay}`)],
          components: [here('manifests/observability')],
        }),
      )
      const all = await built(folder)
      const service = all.find(({ kind }) => kind === 'Service')
      const monitor = all.find(({ kind }) => kind === 'ServiceMonitor') as {
        spec?: { selector: { matchLabels: object } }
      }
      expect(service?.metadata.labels).toEqual(monitor.spec?.selector.matchLabels)
      expect(all.map(({ kind }) => kind)).toContain('PrometheusRule')
      const dashboard = all.find(({ kind }) => kind === 'ConfigMap') as unknown as { data: Record<string, string> }
      expect(JSON.parse(dashboard.data['dashboard.json'] ?? '')).toMatchObject({ title: 'ppn' })
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
})

/** What is declared for the pods to lead: a mesh on loopback, whose hubs are the authority's nodes. */
async function declareFleet() {
  const node = (name: string, octet: number) => {
    const key = () => Buffer.from(systemRandom(32)).toString('base64')
    return {
      ...{ apiVersion: 'ppn.dev/v1alpha1', kind: 'Node', metadata: { name } },
      spec: {
        ...{ role: 'hub', site: 'cloud', endpoint: `192.0.2.${octet}:51820`, address: `${NETWORK}.${octet}` },
        identity: {
          wireguardPublicKey: key(),
          commandPublicKey: key(),
          signingPublicKey: toBase64(generateEd25519(systemRandom).publicKey),
        },
      },
    }
  }
  const mesh = {
    ...{ apiVersion: 'ppn.dev/v1alpha1', kind: 'Mesh', metadata: { name: 'default' } },
    spec: { cidr: `${NETWORK}.0/24`, authorityNodes: ['relay-1', 'relay-2'] },
  }
  const items = [mesh, node('relay-1', 1), node('relay-2', 2)]
  await cluster().kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }))
  const key = await newKeyFile({ random: systemRandom, clock: systemClock() }, generateEd25519(systemRandom).publicKey)
  const secret = {
    ...{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'ppn-authority-keys', namespace: NAMESPACE } },
    ...{ immutable: true, data: { authority: Buffer.from(key).toString('base64') } },
  }
  await cluster().kubectl(['create', '-f', '-'], JSON.stringify(secret))
}
const until = async (what: string, seen: () => Promise<boolean>) => {
  for (let tries = 0; tries < 240; tries++) {
    if (await seen()) return
    await wait(250)
  }
  const told = await Promise.all(
    pods.map(async (pod) => `${await pod.page('/readyz?verbose')}${pod.words().slice(-3000)}`),
  )
  throw new Error(`not within a minute: ${what}\n${told.join('\n---\n')}`)
}

let first: Pod
let second: Pod
beforeAll(async () => {
  await declareFleet()
})

test('the pod as declared comes up, leads and serves: no privilege, a read-only root, nothing refused', async () => {
  const deployment = await deploymentOf('single')
  first = await startPod(cluster(), deployment, {
    name: 'ppn-authority-a',
    address: `${NETWORK}.201`,
    node: 'worker-1',
  })
  pods.push(first)
  await until('ready', () => first.probe('readinessProbe'))
  await until('serving', async () => (await first.page('/readyz?verbose')).includes('[+]serving ok: term 1'))
  expect(await first.probe('livenessProbe')).toBe(true)
  expect(await first.page('/readyz?verbose')).toContain('[+]leadership ok: leading')

  const { Uid, Gid, Groups, CapEff, CapBnd, NoNewPrivs } = await privileges(first.pid)
  expect({ Uid, Gid }).toEqual({ Uid: '65532\t65532\t65532\t65532', Gid: '65532\t65532\t65532\t65532' })
  expect({ Groups: Groups?.trim(), NoNewPrivs }).toEqual({ Groups: '65532', NoNewPrivs: '1' })
  expect([CapEff, CapBnd]).toEqual(['0000000000000000', '0000000000000000'])
  const mounts = (await readFile(`/proc/${first.pid}/mountinfo`, 'utf8')).split('\n')
  expect(mounts.find((line) => line.split(' ')[4] === '/')?.split(' ')[5]).toMatch(/^ro\b/)

  // The log is JSON, for whoever collects it; the audit is in it too.
  for (const line of first.words().trim().split('\n')) expect(() => JSON.parse(line), line).not.toThrow()
  const used = (await auditOf(cluster().auditLog)).filter(({ user }) => user === AUTHORITY)
  expect(used.length).toBeGreaterThan(10)
  expect(used.filter(({ status }) => status === 403)).toEqual([])
})

test('every metric and label that a rule or the dashboard names is in the first scrape of a leader', async () => {
  const samples = readScrape(await first.page('/metrics'))
  const rules = await readFile('manifests/observability/rules.yaml', 'utf8')
  const dashboard = await readFile('manifests/observability/dashboard.json', 'utf8')
  const named = [...selectorsOf(rules), ...selectorsOf(dashboard.replaceAll('\\"', '"'))]
  expect(new Set(named.map(({ name }) => name)).size).toBeGreaterThan(25)
  expect(named.flatMap((selector) => absentFrom(samples, selector))).toEqual([])
})

test('a second replica, on the host of another authority node, stands by ready; the first one ends, and it leads', async () => {
  const deployment = await deploymentOf('hosts')
  second = await startPod(cluster(), deployment, {
    name: 'ppn-authority-b',
    address: `${NETWORK}.202`,
    node: 'relay-2',
  })
  pods.push(second)
  await until('ready', () => second.probe('readinessProbe'))
  const standsBy = '[+]leadership ok: standing by, ppn-authority-a leads'
  await until('stands by', async () => (await second.page('/readyz?verbose')).includes(standsBy))
  expect(await first.stop(), first.words().slice(-2000)).toBe(0)
  await until('leads', async () => (await second.page('/readyz?verbose')).includes('[+]serving ok: term 2'))
  expect(await second.page('/metrics')).toContain('leader_election_master_status{name="ppn-authority"} 1')
  // It speaks from the address of its own node.
  expect(second.words()).toContain(`"address":"${NETWORK}.2"`)
  expect(await second.stop(), second.words().slice(-2000)).toBe(0)
})

test('without its keys the container says so and ends, and is started again until they are there', async () => {
  const deployment = await deploymentOf('single')
  const { spec } = deployment.spec.template
  spec.volumes = spec.volumes.filter(({ name }) => name !== 'keys')
  const alone = startPod(cluster(), deployment, {
    name: 'ppn-authority-c',
    address: `${NETWORK}.203`,
    node: 'worker-1',
  })
  await expect(alone).rejects.toThrow(/ppn keys new --secret/)
})
