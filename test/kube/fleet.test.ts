// A whole fleet over the cluster's store: declared with kubectl, reconciled by the real controllers, obeyed by fake
// agents, and seen with kubectl.
import { setTimeout as wait } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { KINDS } from '../../api/meta.ts'
import { auditOf } from './audit.ts'
import { freshCluster } from './fresh-cluster.ts'
import { lasting } from './machines.ts'
import { kubeFleet, NAMESPACE } from './reign.ts'

const cluster = freshCluster()
const FLEET = 'examples/office'
const WITHIN = '--timeout=120s'
/** A converged fleet is watched for this long: telemetry comes every 10 s. */
const CALM_MS = 25_000

test('kubectl apply, wait, get, diff; a restart that changes nothing; calm; delete', async () => {
  const { kubectl, tryKubectl } = cluster()
  await kubectl(['create', 'namespace', NAMESPACE])
  await kubectl(['apply', '-R', '-f', FLEET])

  const fleet = kubeFleet({ cluster: cluster() })
  const kinds = KINDS.filter((kind) => kind !== 'Pairing').map((kind) => `${kind.toLowerCase()}.ppn.dev`)
  const waitReady = async () => {
    for (const kind of kinds) {
      const { items } = JSON.parse(await kubectl(['get', kind, '-A', '-o', 'json'])) as { items: unknown[] }
      if (items.length > 0) await kubectl(['wait', '--for=condition=Ready', kind, '--all', '-A', WITHIN])
    }
  }
  let now = await fleet.reign()
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
    const before = await lasting(cluster())
    await now.end()
    const since = fleet.since()
    now = await fleet.reign()
    await wait(3_000)
    await waitReady()
    expect(await lasting(cluster())).toEqual(before)
    expect([...new Set(since.commands().map(({ op }) => op))]).toEqual(['PING'])
    expect(since.bundles()).toEqual([])

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
    await now.end()
    await fleet.stop()
  }
})
