// The fleets of examples/, applied with kubectl, converge: the small one on the real agent with simulated drivers, the large
// one on fake agents, as much of it as a short run allows.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import type { Kind } from '../../api/meta.ts'
import { RECORD_API_VERSION } from '../../stores/kube/resources.ts'
import { freshCluster } from './fresh-cluster.ts'
import { type Collected, collectStates, judge } from './kstatus.ts'
import { listed } from './machines.ts'
import { kubeFleet, NAMESPACE } from './reign.ts'
import { empty } from './subject.ts'

const cluster = freshCluster()
/** Everything of every campus; a machine that others use takes its time. */
const WITHIN_MS = 200_000
let collected: Collected

beforeAll(async () => {
  await cluster().kubectl(['create', 'namespace', NAMESPACE])
  collected = await collectStates(cluster())
})
afterAll(async () => {
  await collected?.stop()
})

/** No object and no record of the fleet before. */
async function forget(): Promise<void> {
  await empty(cluster())
  for (const resource of ['records', 'registrylines'])
    await cluster().request('DELETE', `/apis/${RECORD_API_VERSION}/namespaces/${NAMESPACE}/${resource}`)
}

const LONG = process.env.PPN_KUBE_LONG !== undefined
const CAMPUS = ['hubs.yaml', 'arts', 'law'].map((part) => `examples/campus/${part}`)
/** `PPN_KUBE_LONG=1`: the whole campus, 60 nodes and 200 archives, also on simulated machines. */
const FLEETS: [folders: string[], machines: 'fake' | 'simulated'][] = [
  [['examples/office'], 'simulated'],
  [LONG ? ['examples/campus'] : CAMPUS, 'fake'],
  ...(LONG ? [[['examples/campus'], 'simulated'] as [string[], 'simulated']] : []),
]

interface Declared {
  kind: Kind
  metadata: { name: string; namespace?: string }
}

test.each(FLEETS)('%s on %s machines', { timeout: 3 * WITHIN_MS }, async (folders, machines) => {
  const files = folders.flatMap((folder) => ['-f', folder])
  const declared = parseAllDocuments(
    await cluster().kubectl(['create', '-R', ...files, '--dry-run=client', '-o', 'yaml']),
  ).map((document) => document.toJS() as Declared)
  for (const name of new Set(declared.flatMap(({ metadata }) => metadata.namespace ?? [])))
    await cluster().tryKubectl(['create', 'namespace', name])
  await cluster().kubectl(['apply', '-R', ...files])
  const fleet = kubeFleet({ cluster: cluster(), machines })
  const reign = await fleet.reign()
  try {
    await fleet.ready(WITHIN_MS)
    const keys = (objects: readonly Declared[]) =>
      objects.map(({ kind, metadata }) => `${kind}/${metadata.name}`).sort()
    expect(keys(await listed(cluster()))).toEqual(keys(declared))
    expect((await cluster().tryKubectl(['diff', '-R', ...files])).stdout).toBe('')
  } finally {
    await reign.end()
    await fleet.stop()
    await forget()
  }
})

test('kstatus says the same as our conditions of every state that any object was in', async () => {
  await collected.stop()
  const { disagreements, verdicts } = await judge(collected.states)
  expect(disagreements).toEqual([])
  expect(verdicts.Current).toBeGreaterThan(60)
})
