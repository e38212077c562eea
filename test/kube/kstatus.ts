// Every state that an API server told of the objects of a suite, and whether kstatus and our conditions say the same.
import { setTimeout as wait } from 'node:timers/promises'
import { type Condition, KINDS, type Kind } from '../../api/meta.ts'
import { systemClock } from '../../base/clock.ts'
import { systemProcesses } from '../../base/processes.ts'
import { kstatusProgram } from '../../hack/kube/build.ts'
import type { Cluster } from '../../hack/kube/cluster.ts'
import { type KstatusVerdict, kstatus } from '../../hack/kube/kstatus.ts'
import { connectKube } from '../../stores/kube/connect.ts'
import { collectionPath } from '../../stores/kube/resources.ts'

/** An object as the server sends it. */
export interface Seen {
  kind: Kind
  metadata: { name: string; uid: string; resourceVersion: string; generation: number; deletionTimestamp?: string }
  status?: { observedGeneration?: number; conditions?: Condition[] }
}

export interface Collected {
  /** In the order in which they were told. */
  readonly states: readonly Seen[]
  stop(): Promise<void>
}

const AGAIN_MS = 200

/** Collects from now on. A watch that ends, for whatever reason, begins again. */
export async function collectStates(cluster: Cluster): Promise<Collected> {
  const connection = await connectKube({
    ...{ kubeconfig: cluster.kubeconfig, clock: systemClock(), userAgent: 'test-watcher' },
  })
  const states: Seen[] = []
  const told = new Set<string>()
  const ending = new AbortController()
  const follow = async (kind: Kind) => {
    while (!ending.signal.aborted) {
      const listener = {
        open: () => {},
        event(document: unknown) {
          const { type, object } = document as { type: string; object: Seen }
          if (type === 'ERROR') return
          const state = `${object.metadata.uid} ${object.metadata.resourceVersion}`
          if (!told.has(state)) states.push(object)
          told.add(state)
        },
      }
      await connection.watch(`${collectionPath(kind)}?watch=1`, listener, ending.signal).catch(() => {})
      if (!ending.signal.aborted) await wait(AGAIN_MS)
    }
  }
  const running = KINDS.map(follow)
  return {
    states,
    async stop() {
      ending.abort()
      await Promise.all(running)
      connection.close()
    },
  }
}

/** What our conditions mean, in kstatus' words. */
export function meaning({ metadata, status }: Seen): KstatusVerdict['status'] {
  if (metadata.deletionTimestamp !== undefined) return 'Terminating'
  const is = (type: string) => status?.conditions?.find((condition) => condition.type === type)?.status
  if (status?.observedGeneration !== metadata.generation) return 'InProgress'
  if (is('Stalled') === 'True') return 'Failed'
  return is('Ready') === 'True' ? 'Current' : 'InProgress'
}

export interface Judged {
  /** States of which the two say different things. */
  disagreements: string[]
  /** How many states kstatus gave each verdict. */
  verdicts: Partial<Record<KstatusVerdict['status'], number>>
}

export async function judge(states: readonly Seen[]): Promise<Judged> {
  const processes = systemProcesses()
  const say = (line: string) => void process.stderr.write(`${line}\n`)
  const found = await kstatus(processes, await kstatusProgram({ processes, say }), states)
  const verdicts: Judged['verdicts'] = {}
  const disagreements = states.flatMap((state, i) => {
    const { status, message } = found[i] as KstatusVerdict
    verdicts[status] = (verdicts[status] ?? 0) + 1
    const ours = meaning(state)
    if (ours === status) return []
    const { kind, metadata } = state
    return [`${kind}/${metadata.name}@${metadata.resourceVersion}: kstatus ${status} (${message}), ours ${ours}`]
  })
  return { disagreements, verdicts }
}
