// The objects that all contestants reconcile, and how the benchmark changes them.
import type { Cluster } from '../../../hack/kube/cluster.ts'
import { createPath, objectPath } from '../../../stores/kube/resources.ts'
import { archiveName, archiveObject, nodeObjects } from '../folder.ts'
import { monotonicMs } from '../monotonic.ts'

const NAMESPACE = 'bench'
/** As many as the keep-alive agent of the cluster has sockets. */
const AT_ONCE = 32
const MOST_WEIGHT = 10_000
const NODES = 254
/** Second octet of a mesh that nobody stands in: no packet leaves. */
const OCTET = 233

export interface Changed {
  number: number
  generation: number
  /** monotonicMs before the request went out, and when its answer was there. */
  askedMs: number
  answeredMs: number
}

export interface Objects {
  readonly count: number
  /** A new generation of archive `i`, counted from 0. */
  change(i: number): Promise<Changed>
  /** A new generation of every archive. */
  changeAll(): Promise<Changed[]>
}

async function eachOf<T>(count: number, work: (i: number) => Promise<T>): Promise<T[]> {
  const results: T[] = []
  let next = 0
  const worker = async () => {
    for (let i = next++; i < count; i = next++) results[i] = await work(i)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return results
}

/** Resolves when the API server has them all. */
export async function createObjects(cluster: Cluster, count: number): Promise<Objects> {
  await cluster.kubectl(['create', 'namespace', NAMESPACE])
  const shape = { nodes: NODES, archives: count, octet: OCTET }
  const path = createPath('Archive', NAMESPACE)
  await eachOf(count, async (i) => {
    const { status, text } = await cluster.request('POST', path, archiveObject(shape, i))
    if (status !== 201) throw new Error(`${archiveName(i)}: ${status} ${text}`)
  })
  let weight = 100
  const change = async (i: number): Promise<Changed> => {
    weight = (weight % MOST_WEIGHT) + 1
    const at = objectPath('Archive', { name: archiveName(i), namespace: NAMESPACE })
    const askedMs = monotonicMs()
    const answer = await cluster.request('PATCH', at, { spec: { cpu: { weight } } }, 'application/merge-patch+json')
    const answeredMs = monotonicMs()
    if (answer.status !== 200) throw new Error(`${archiveName(i)}: ${answer.status} ${answer.text}`)
    const { generation } = answer.json().metadata as { generation: number }
    return { number: i + 1, generation, askedMs, answeredMs }
  }
  return { count, change, changeAll: () => eachOf(count, change) }
}

/** The nodes that the archives name, and their mesh: of no interest to who watches archives only. */
export async function createNodes(cluster: Cluster): Promise<void> {
  const fleet = nodeObjects({ nodes: NODES, archives: 0, octet: OCTET })
  await eachOf(fleet.length, async (i) => {
    const { kind, object } = fleet[i]!
    const { status, text } = await cluster.request('POST', createPath(kind), object)
    if (status !== 201) throw new Error(`${kind}: ${status} ${text}`)
  })
}
