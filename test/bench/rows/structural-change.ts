import path from 'node:path'
import type { BenchFleet } from '../fleet.ts'
import { meshObject, writeObjects } from '../folder.ts'
import { summarise } from '../stats.ts'
import type { Result } from '../table.ts'

const SAMPLES = 5
const MTUS = [1400, 1420] as const

/** The MTU of the mesh, which is in every bundle: from the hint to the telemetry of the last node that applied it. */
export async function structuralChange(fleet: BenchFleet): Promise<Result[]> {
  const { authority, folder, shape } = fleet
  const took: number[] = []
  const cpuMs: number[] = []
  const bundles: number[] = []
  for (let i = 0; i < SAMPLES; i++) {
    await authority.ready()
    await authority.reset()
    const before = await authority.figures()
    const applied = authority.applied(before.revision)
    await writeObjects(path.join(folder, 'mesh.yaml'), meshObject(shape, { mtu: MTUS[i % 2] as number }))
    const ms = await applied
    const after = await authority.figures()
    took.push(ms - (after.counts.hintMs as number))
    cpuMs.push(after.cpuMs - before.cpuMs)
    bundles.push(after.counts.bundles)
  }
  await authority.ready()
  return [
    {
      what: '2. structural change touching every node, from the hint (debounce included) to the last telemetry',
      unit: 'ms',
      samples: took,
      judged: 'p99',
      goal: 1_000,
      better: 'less',
      notes: [
        `bundles pushed: ${bundles.join(', ')}; processor time of the authority: ${summarise(cpuMs).median.toFixed(0)} ms`,
      ],
    },
  ]
}
