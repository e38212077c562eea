// The whole authority over the cluster's store, without a Lease and with nobody enrolled. Arguments: a kubeconfig, the state folder.
import { startAuthority } from '../../../authority/main/authority.ts'
import { systemClock } from '../../../base/clock.ts'
import { diskFiles } from '../../../base/disk-files.ts'
import { createLogger } from '../../../base/log.ts'
import { systemRandom } from '../../../base/random.ts'
import { connectKube } from '../../../stores/kube/connect.ts'
import { kubeEvents } from '../../../stores/kube/events.ts'
import { openKubeStore } from '../../../stores/kube/store.ts'
import { memoryNetwork } from '../../../testing/memory-network.ts'
import { profiler } from '../profiler.ts'

const [kubeconfig, state = ''] = process.argv.slice(2)
const profile = await profiler(process.env.PPN_BENCH_CPU_PROF)
const clock = systemClock()
const random = systemRandom
const log = createLogger({ level: 'error', format: 'text', write: (line) => void process.stderr.write(line) })
const stop = new AbortController()
const api = await connectKube({ kubeconfig, clock, userAgent: 'bench-authority' })
const store = await openKubeStore({ api, namespace: 'default', clock, random01: Math.random, log }, stop.signal)
const authority = await startAuthority(
  {
    ...{ store, clock, random, log },
    events: kubeEvents({ api, clock, log, instance: 'bench' }, stop.signal),
    files: diskFiles(state),
    transport: memoryNetwork(clock, random).transport(),
    listenMs: 0,
  },
  stop.signal,
)
process.once('SIGTERM', async () => {
  await authority.stop()
  stop.abort(new Error('stopped'))
  await store.close()
  api.close()
  await profile.write('authority')
  process.exit()
})
