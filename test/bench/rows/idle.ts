import type { BenchFleet } from '../fleet.ts'
import type { Result } from '../table.ts'
import { pause } from '../wait.ts'

const SAMPLES = 3
const WINDOW_MS = 30_000
const SETTLE_MS = 15_000

export async function idle(fleet: BenchFleet): Promise<Result[]> {
  const { authority } = fleet
  await authority.ready()
  await pause(SETTLE_MS)
  await authority.reset()
  const load: number[] = []
  const rss: number[] = []
  for (let i = 0; i < SAMPLES; i++) {
    const before = await authority.figures()
    await pause(WINDOW_MS)
    const after = await authority.figures()
    load.push((100 * (after.cpuMs - before.cpuMs)) / (after.nowMs - before.nowMs))
    rss.push(after.rssMiB)
  }
  const { counts, heapMiB } = await authority.figures()
  const sent = Object.values(counts.addressed).reduce((sum, n) => sum + n, 0) + counts.copies + counts.bundles
  return [
    {
      what: `5a. converged and idle, ${SAMPLES} windows of ${WINDOW_MS / 1000} s: processor`,
      unit: '% of a core',
      samples: load,
      judged: 'median',
      goal: 1,
      better: 'less',
    },
    {
      what: '5b. converged and idle: memory',
      unit: 'MiB',
      samples: rss,
      judged: 'median',
      goal: 150,
      better: 'less',
      notes: [`of which ${heapMiB.toFixed(0)} MiB are used in the heap`],
    },
    {
      what: '5c. converged and idle: commands, copies and bundles',
      unit: '',
      samples: [sent],
      judged: 'median',
      goal: 0,
      better: 'less',
    },
  ]
}
