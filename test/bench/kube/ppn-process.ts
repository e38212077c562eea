// The same small reconcile on ppn's own store and runtime. Arguments: a kubeconfig, host:port of the receiver.
import { createSocket } from 'node:dgram'
import { parseKey } from '../../../api/meta.ts'
import { systemClock } from '../../../base/clock.ts'
import { createLogger } from '../../../base/log.ts'
import { createManager } from '../../../controllers/runtime/manager.ts'
import { connectKube } from '../../../stores/kube/connect.ts'
import { openKubeStore } from '../../../stores/kube/store.ts'
import { profiler } from '../profiler.ts'
import { command, statusOf } from './command.ts'

const CONTROLLER = 'archive'
const [kubeconfig, receiver = ''] = process.argv.slice(2)
const [host, port] = receiver.split(':')
const profile = await profiler(process.env.PPN_BENCH_CPU_PROF)
const clock = systemClock()
const log = createLogger({ level: 'error', format: 'text', write: (line) => void process.stderr.write(line) })
const stop = new AbortController()
const effect = createSocket('udp4')
await new Promise<void>((resolve) => effect.connect(Number(port), host, resolve))
const send = (bytes: Buffer) =>
  new Promise<void>((resolve, reject) => effect.send(bytes, (error) => (error ? reject(error) : resolve())))

const api = await connectKube({ kubeconfig, clock, userAgent: 'bench-ppn' })
const store = await openKubeStore({ api, namespace: 'default', clock, random01: Math.random, log }, stop.signal)
const manager = createManager({ clock, log, random01: Math.random })
manager.add({
  name: CONTROLLER,
  ready: () => store.health().synced,
  generation: (key) => store.getByKey(key as never)?.metadata.generation ?? 0,
  async reconcile({ key }) {
    const { name, namespace } = parseKey(key as never)
    const archive = store.get('Archive', name, namespace)
    if (!archive || archive.status?.observedGeneration === archive.metadata.generation) return
    const { generation } = archive.metadata
    await send(command(name, generation, archive.spec.cpu.weight))
    const ready = archive.status?.conditions?.find(({ type }) => type === 'Ready')
    const since = ready?.lastTransitionTime ?? new Date(clock.now()).toISOString()
    await store.updateStatus(archive, statusOf(generation, since))
  },
})
store.subscribe((event) => {
  if (event.type === 'upsert' && event.object.kind === 'Archive') manager.enqueue(CONTROLLER, event.key, 'changed')
})
process.once('SIGTERM', async () => {
  await manager.stop()
  stop.abort(new Error('stopped'))
  await store.close()
  api.close()
  await profile.write('ppn')
  process.exit()
})
await store.start(stop.signal)
manager.start()
