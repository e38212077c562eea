import path from 'node:path'
import type { BenchFleet } from '../fleet.ts'
import { archiveFile, archiveObject, writeObjects } from '../folder.ts'
import { summarise } from '../stats.ts'
import type { Result } from '../table.ts'
import { pause, until } from '../wait.ts'

const SAMPLES = 40
/** Of stores/files/source.ts: from the first hint to the reading. */
const DEBOUNCE_MS = 50
/** The last packet of a command's burst goes out 300 ms after the first. */
const QUIET_MS = 400

/** The weight of one archive, in its file: from the hint that the file changed to the packet to its node. */
export async function specChange(fleet: BenchFleet): Promise<Result[]> {
  const { authority, folder, shape } = fleet
  const latency: number[] = []
  const cpuMs: number[] = []
  const read = new Set<number>()
  for (let i = 0; i < SAMPLES; i++) {
    const archive = (i * 7) % shape.archives
    await authority.reset()
    const before = await authority.figures()
    await writeObjects(path.join(folder, archiveFile(archive)), archiveObject(shape, archive, 300 + i))
    const sent = await until(authority, ({ counts }) => counts.addressed.WEIGHT !== undefined)
    latency.push((sent.counts.firstAddressedMs as number) - (sent.counts.hintMs as number) - DEBOUNCE_MS)
    await pause(QUIET_MS)
    await authority.ready()
    const after = await authority.figures()
    cpuMs.push(after.cpuMs - before.cpuMs)
    read.add(new Set(after.counts.read).size)
  }
  return [
    {
      what: '1. one spec change, from the end of the debounce to the addressed copy on the wire',
      unit: 'ms',
      samples: latency,
      judged: 'p99',
      goal: 10,
      better: 'less',
      notes: [
        `files read a change: ${[...read].join(', ')} of ${shape.archives + shape.nodes + 1}`,
        `processor time of the authority a change, 253 copies and all telemetry of it included: ${summarise(cpuMs).median.toFixed(0)} ms`,
      ],
    },
  ]
}
