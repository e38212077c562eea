// A whole fleet over the cluster's store: declared with kubectl, reconciled by the real controllers, obeyed by fake
// agents, and seen with kubectl.
import { setTimeout as wait } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { KINDS } from '../../api/meta.ts'
import { type Authority, startAuthority } from '../../authority/main/authority.ts'
import { systemClock } from '../../base/clock.ts'
import { silentLogger } from '../../base/log.ts'
import { systemRandom } from '../../base/random.ts'
import { armorBundle } from '../../protocol/bundle/armor.ts'
import { fingerprint } from '../../protocol/keys.ts'
import { connectKube } from '../../stores/kube/connect.ts'
import { type KubeStore, openKubeStore } from '../../stores/kube/store.ts'
import { type FakeAgent, fakeAgent } from '../../testing/fake-agent.ts'
import { memoryFiles } from '../../testing/memory-files.ts'
import { memoryNetwork } from '../../testing/memory-network.ts'
import { sentCommands } from '../../testing/sent-commands.ts'
import { auditOf } from './audit.ts'
import { freshCluster } from './fresh-cluster.ts'

const cluster = freshCluster()
const FLEET = 'examples/office'
const NAMESPACE = 'ppn-system'
const WITHIN = '--timeout=120s'
/** A converged fleet is watched for this long: telemetry comes every 10 s. */
const CALM_MS = 25_000

interface Reign {
  store: KubeStore
  authority: Authority
  end(): Promise<void>
}

test('kubectl apply, wait, get, diff; a restart that changes nothing; calm; delete', async () => {
  const { kubectl, tryKubectl } = cluster()
  await kubectl(['create', 'namespace', NAMESPACE])
  await kubectl(['apply', '-R', '-f', FLEET])

  const clock = systemClock()
  const network = memoryNetwork(clock, systemRandom)
  const files = new Map<string, Uint8Array>()
  const agents = new Map<string, FakeAgent>()

  const provision = async (name: string, { store, authority }: Reign) => {
    const node = store.get('Node', name)
    if (!node || !authority.allocator.addressOf(node.metadata.uid) || agents.has(name)) return
    const agent = fakeAgent({ clock, transport: network.transport(), random: systemRandom })
    agents.set(name, agent)
    const nodeId = await authority.allocator.nodeId(node.metadata.uid, name)
    await authority.registry.enrol(name, nodeId, agent.identity(), 'simulated')
    let bundle: Uint8Array | undefined
    while (!bundle) {
      bundle = await authority.publisher.firstBundle(name).catch(() => undefined)
      await wait(50)
    }
    await agent.import(armorBundle(bundle), fingerprint(authority.keys.keys.signing.publicKey))
    await agent.start()
  }
  const reign = async (): Promise<Reign> => {
    const stop = new AbortController()
    const connection = await connectKube({ kubeconfig: cluster().kubeconfig, clock, userAgent: 'ppn-test' })
    const store = await openKubeStore(
      { api: connection, namespace: NAMESPACE, clock, random01: Math.random, log: silentLogger() },
      stop.signal,
    )
    const authority = await startAuthority(
      {
        ...{ store, clock, random: systemRandom, log: silentLogger() },
        events: { record: () => {} },
        files: memoryFiles(files),
        transport: network.transport(),
      },
      stop.signal,
    )
    const end = async () => {
      await authority.stop()
      stop.abort(new Error('the reign ends'))
      await store.close()
      connection.close()
    }
    const now = { store, authority, end }
    const soon = (name: string) => void provision(name, now).catch(() => agents.delete(name))
    store.subscribe((event) => {
      if (event.type === 'upsert' && event.object.kind === 'Node') soon(event.object.metadata.name)
    })
    for (const node of store.list('Node')) soon(node.metadata.name)
    return now
  }
  const kinds = KINDS.filter((kind) => kind !== 'Pairing').map((kind) => `${kind.toLowerCase()}.ppn.dev`)
  const waitReady = async () => {
    for (const kind of kinds) {
      const { items } = JSON.parse(await kubectl(['get', kind, '-A', '-o', 'json'])) as { items: unknown[] }
      if (items.length > 0) await kubectl(['wait', '--for=condition=Ready', kind, '--all', '-A', WITHIN])
    }
  }
  const facts = async () => {
    const { items } = JSON.parse(await kubectl(['get', 'nodes.ppn.dev,archives.ppn.dev', '-A', '-o', 'json'])) as {
      items: { metadata: { name: string }; status: { address?: string; slot?: number; fencingEpoch?: number } }[]
    }
    return items.map(({ metadata, status }) => [metadata.name, status.address, status.slot, status.fencingEpoch])
  }

  let now = await reign()
  try {
    await waitReady()
    // Applied again, everything is as it was declared: no controller has written into a spec.
    expect((await tryKubectl(['diff', '-R', '-f', FLEET])).stdout).toBe('')
    const printed = await kubectl(['get', 'ppn', '-A'])
    expect(printed).toMatch(/node\.ppn\.dev\/\S+ +hub +10\.8\.0\.1 +True +\S+/)
    expect(printed).toMatch(/archive\.ppn\.dev\/cluster-totebox-office-1/)
    const described = await kubectl(['describe', 'archives.ppn.dev', 'cluster-totebox-office-1'])
    expect(described).toMatch(/Type:\s+Ready/)
    const [one] = now.store.list('Node')
    expect(parse(await kubectl(['get', 'node.ppn.dev', one?.metadata.name ?? '', '-o', 'yaml'])).status).toEqual(
      one?.status,
    )

    // Another process, or another replica: what it knows is on the cluster.
    const before = await facts()
    await now.end()
    const sinceMs = clock.now()
    now = await reign()
    await wait(3_000)
    await waitReady()
    expect(await facts()).toEqual(before)
    const ops = sentCommands(network.datagrams, (address) => address).filter(({ atMs }) => atMs >= sinceMs)
    expect([...new Set(ops.map(({ op }) => op))]).toEqual(['PING'])

    await wait(5_000)
    const writes = async () =>
      (await auditOf(cluster().auditLog)).filter(
        ({ verb, resource }) => resource.endsWith('ppn.dev') && ['create', 'update', 'patch', 'delete'].includes(verb),
      ).length
    const calm = await writes()
    await wait(CALM_MS)
    expect(await writes()).toBe(calm)

    // It goes when its node has shown it stopped: the finalizer is there until then.
    const name = 'cluster-totebox-office-1'
    expect(await kubectl(['get', 'archives.ppn.dev', name, '-o', 'yaml'])).toContain('- ppn.dev/teardown')
    await kubectl(['delete', 'archives.ppn.dev', name, WITHIN])
    // The watch of the store may be a moment behind kubectl's.
    while (now.store.get('Archive', name, 'default')) await wait(20)
  } finally {
    for (const agent of agents.values()) await agent.stop()
    await now.end()
  }
})
