// An authority in a process of its own, as `ppn up` starts it, with a probe on its traffic. Driven over Node's IPC
// channel by `authority.ts`; argument: AuthoritySettings as JSON.
import { realpathSync } from 'node:fs'
import type { Condition } from '../../api/meta.ts'
import { KINDS, type Kind, keyOf } from '../../api/meta.ts'
import type { AnyObject } from '../../api/v1alpha1/index.ts'
import { meshSpec } from '../../api/v1alpha1/mesh.ts'
import { startStandalone } from '../../authority/main/standalone.ts'
import { systemClock } from '../../base/clock.ts'
import { createLogger } from '../../base/log.ts'
import { loopbackTransport } from '../../base/loopback-transport.ts'
import { systemRandom } from '../../base/random.ts'
import { localFs } from '../../stores/files/fs.ts'
import { chokidarWatch } from '../../stores/files/watch.ts'
import type { AuthoritySettings, Figures, Question } from './authority.ts'
import { monotonicMs } from './monotonic.ts'
import { probe } from './probe.ts'
import { profiler } from './profiler.ts'

/** How often a condition that no event tells of is looked at while somebody waits for it. */
const LOOK_MS = 5

const settings = JSON.parse(process.argv[2] as string) as AuthoritySettings
const clock = systemClock()
const profile = await profiler(settings.profiles)
const seen = probe(meshSpec.parse({}).ports.sync)
const stop = new AbortController()
const root = realpathSync(settings.fleet)
const transport = seen.transport(loopbackTransport({ firstOctet: 10, clock }))
const startedMs = monotonicMs()
const standalone = await startStandalone(
  {
    fleet: root,
    state: settings.state,
    transport,
    clock,
    random: systemRandom,
    log: createLogger({
      level: settings.logLevel ?? 'error',
      format: 'text',
      write: (line) => process.stderr.write(line),
    }),
    version: 'bench',
    metricsPort: 0,
    onMetricsPortTaken() {},
    folder: { fs: seen.fs(localFs(), root), watch: seen.watch(chokidarWatch) },
  },
  stop.signal,
)
const { authority } = standalone
const { store, fleet } = authority.world

const notReady = new Set<string>()
const judge = (object: AnyObject) => {
  const status = object.status as { conditions?: Condition[] } | undefined
  const ready = status?.conditions?.find((c) => c.type === 'Ready')
  const key = keyOf(object.kind as Kind, object.metadata.name, object.metadata.namespace)
  if (ready?.status === 'True' && ready.observedGeneration === object.metadata.generation) notReady.delete(key)
  else notReady.add(key)
}
const objects = () => KINDS.flatMap((kind) => store.list(kind) as AnyObject[])
for (const object of objects()) judge(object)
store.subscribe((event) => {
  if (event.type === 'upsert') judge(event.object)
})
let openMs: number | undefined
const isReady = () =>
  notReady.size === 0 && authority.manager.idle() && fleet.views().every(({ liveness }) => liveness === 'Fresh')
const isReconciled = () =>
  authority.manager.idle() &&
  objects().every((o) => (o.status as { observedGeneration?: number } | undefined)?.observedGeneration !== undefined)
const untilMs = async (done: () => boolean): Promise<number> => {
  for (;;) {
    if (done()) return monotonicMs()
    await clock.sleep(LOOK_MS)
  }
}
/** The moment at which telemetry has shown every node at the revision or above. */
const appliedMs = (above: number): Promise<number> =>
  new Promise((resolve) => {
    const missing = new Set(fleet.views().map(({ node }) => node))
    const look = (node: string) => {
      const { stage, revision = 0 } = authority.publisher.state(node)
      if (stage === 'Applied' && revision > above) missing.delete(node)
      if (missing.size > 0) return
      off()
      resolve(monotonicMs())
    }
    const off = authority.publisher.subscribe(look)
    for (const node of missing) look(node)
  })

const figures = (): Figures => ({
  nowMs: monotonicMs(),
  cpuMs: (process.cpuUsage().user + process.cpuUsage().system) / 1000,
  rssMiB: process.memoryUsage.rss() / 2 ** 20,
  heapMiB: process.memoryUsage().heapUsed / 2 ** 20,
  revision: authority.publisher.revision(),
  counts: seen.counts(),
  notReady: notReady.size,
  startedMs,
  openMs,
})
const answer = async ({ ask, above = 0, name = 'authority' }: Question): Promise<unknown> => {
  switch (ask) {
    case 'figures':
      return figures()
    case 'reset':
      return seen.reset()
    case 'ready':
      return await untilMs(isReady)
    case 'reconciled':
      return await untilMs(isReconciled)
    case 'applied':
      return await appliedMs(above)
    case 'profile':
      return await profile.write(name)
    case 'why':
      return [...notReady].slice(0, 5).map((key) => JSON.stringify(store.getByKey(key as never)?.status))
    case 'stop':
      await profile.write(name)
      await standalone.stop()
      return stop.abort(new Error('stopped'))
  }
}
process.on('message', async (question: Question) => {
  process.send?.({ id: question.id, answer: await answer(question) })
  if (question.ask === 'stop') process.disconnect()
})
process.on('disconnect', () => process.exit())
untilMs(() => authority.serving.downlink()?.reign.phase() === 'Open').then((ms) => {
  openMs = ms
})
process.send?.({ id: 0, answer: figures() })
