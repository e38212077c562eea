import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startBenchAuthority } from '../authority.ts'
import { writeFleet } from '../folder.ts'
import { monotonicMs } from '../monotonic.ts'
import type { Result } from '../table.ts'

const SAMPLES = 3
/** With 254 nodes, 254 pools and the mesh: 10,000 objects in 255 files. */
const ARCHIVES = 9_491

/** A new process, a new state, nobody enrolled: until every object has a status of its generation. */
export async function coldStart(octet: number): Promise<Result[]> {
  const dir = await mkdtemp(path.join(tmpdir(), 'ppn-bench-'))
  const took: number[] = []
  const rss: number[] = []
  const cpuMs: number[] = []
  let objects = 0
  try {
    const fleet = path.join(dir, 'fleet')
    objects = await writeFleet(fleet, { nodes: 254, archives: ARCHIVES, pools: true, filePerNode: true, octet })
    for (let i = 0; i < SAMPLES; i++) {
      const startMs = monotonicMs()
      const authority = await startBenchAuthority({ fleet, state: path.join(dir, `state-${i}`) })
      took.push((await authority.reconciled()) - startMs)
      const figures = await authority.figures()
      rss.push(figures.rssMiB)
      cpuMs.push(figures.cpuMs)
      await authority.stop()
    }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
  const count = objects.toLocaleString('en-US')
  return [
    {
      what: `6a. ${count} objects from YAML, from the start of the process to the first full reconcile`,
      unit: 'ms',
      samples: took,
      judged: 'p99',
      goal: 5_000,
      better: 'less',
      notes: [`processor time: ${cpuMs.map((ms) => ms.toFixed(0)).join(', ')} ms`],
    },
    { what: `6b. ${count} objects: memory`, unit: 'MiB', samples: rss, judged: 'median', goal: 300, better: 'less' },
  ]
}
