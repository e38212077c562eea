import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, expect, inject } from 'vitest'
import { KINDS } from '../../api/meta.ts'
import { type Cluster, startCluster } from '../../hack/kube/cluster.ts'
import { collectionPath, recordsPath } from '../../stores/kube/resources.ts'
import { keepUses } from './audit.ts'

/** An API server for the tests of this file, with one of our kustomizations in force. */
export function freshCluster(kustomization = 'manifests/crds'): () => Cluster {
  let cluster: Cluster | undefined
  beforeAll(async () => {
    cluster = await startCluster(inject('kubePrograms'))
    await applyManifests(cluster, kustomization)
  })
  afterAll(async () => {
    if (!cluster) return
    await keepUses(inject('kubeUses'), expect.getState().testPath ?? '', cluster.auditLog)
    await cluster.stop()
  })
  return () => {
    if (!cluster) throw new Error('the cluster is not up yet')
    return cluster
  }
}

/** As docs/kubernetes.md says it is done. Resolves when the kinds can be used. */
export async function applyManifests(cluster: Cluster, kustomization: string): Promise<void> {
  await cluster.kubectl(['apply', '--server-side', '-k', kustomization])
  await cluster.kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s'])
  // Established, and yet served a moment later.
  for (const path of [...KINDS.map(collectionPath), recordsPath('default')])
    while ((await cluster.request('GET', path)).status !== 200) await wait(50)
}
