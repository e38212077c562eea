// The objects that all contestants reconcile, and how the benchmark changes them.
import type { Cluster } from '../../../hack/kube/cluster.ts'
import type { Answer } from '../../../hack/kube/http.ts'
import { createPath, objectPath } from '../../../stores/kube/resources.ts'
import { archiveName, archiveObject, nodeObjects } from '../folder.ts'
import { monotonicMs } from '../monotonic.ts'
import { pause } from '../wait.ts'

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

/** Answers of a server that could not keep up: it may have done it or not, and says nothing against asking again. */
const OVERWHELMED = new Set([429, 500, 503, 504])
const AGAIN_MS = 1_000

/** Asks until the answer is one of `good`. Throws on any other. */
async function insist(what: string, good: readonly number[], ask: () => Promise<Answer>): Promise<Answer> {
  for (;;) {
    const answer = await ask()
    if (good.includes(answer.status)) return answer
    if (!OVERWHELMED.has(answer.status)) throw new Error(`${what}: ${answer.status} ${answer.text}`)
    await pause(AGAIN_MS)
  }
}

/** Of a POST: made now, or by one whose answer was lost. */
const MADE = [201, 409]

/** Resolves when the API server has them all. */
export async function createObjects(cluster: Cluster, count: number): Promise<Objects> {
  await cluster.kubectl(['create', 'namespace', NAMESPACE])
  const shape = { nodes: NODES, archives: count, octet: OCTET }
  const path = createPath('Archive', NAMESPACE)
  const create = (i: number) =>
    insist(archiveName(i), MADE, () => cluster.request('POST', path, archiveObject(shape, i)))
  await eachOf(count, create)
  let weight = 100
  const change = async (i: number): Promise<Changed> => {
    weight = (weight % MOST_WEIGHT) + 1
    const at = objectPath('Archive', { name: archiveName(i), namespace: NAMESPACE })
    const body = { spec: { cpu: { weight } } }
    let askedMs = 0
    const answer = await insist(archiveName(i), [200], () => {
      askedMs = monotonicMs()
      return cluster.request('PATCH', at, body, 'application/merge-patch+json')
    })
    const answeredMs = monotonicMs()
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
    await insist(kind, MADE, () => cluster.request('POST', createPath(kind), object))
  })
}
