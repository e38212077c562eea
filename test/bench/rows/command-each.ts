import path from 'node:path'
import type { BenchFleet } from '../fleet.ts'
import { archiveFile, archiveObject, writeObjects } from '../folder.ts'
import { summarise } from '../stats.ts'
import type { Result } from '../table.ts'
import { until } from '../wait.ts'

const SAMPLES = 3

/** One archive on every node gets another weight: from the first packet to the last copy. */
export async function commandEach(fleet: BenchFleet): Promise<Result[]> {
  const { authority, folder, shape } = fleet
  const copies = shape.nodes * (shape.nodes - 1)
  const took: number[] = []
  const cpuMs: number[] = []
  for (let i = 0; i < SAMPLES; i++) {
    await authority.ready()
    await authority.reset()
    const before = await authority.figures()
    await Promise.all(
      Array.from({ length: shape.nodes }, (_, archive) =>
        writeObjects(path.join(folder, archiveFile(archive)), archiveObject(shape, archive, 500 + i)),
      ),
    )
    const { counts, cpuMs: afterMs } = await until(authority, (f) => f.counts.copies >= copies)
    took.push((counts.lastCopyMs as number) - (counts.firstAddressedMs as number))
    cpuMs.push(afterMs - before.cpuMs)
  }
  await authority.ready()
  return [
    {
      what: `3. one command for each node, all ${copies.toLocaleString('en-US')} copies`,
      unit: 'ms',
      samples: took,
      judged: 'p99',
      goal: 5_000,
      better: 'less',
      notes: [`processor time of the authority: ${summarise(cpuMs).median.toFixed(0)} ms`],
    },
  ]
}
