import type { BenchFleet } from '../fleet.ts'
import type { Result } from '../table.ts'
import { pause } from '../wait.ts'

const SAMPLES = 3
/** What was sent wrongly or again would go out within this. */
const AFTERMATH_MS = 5_000

/** SIGKILL, a new process at once: from the end of its listening until everything is Ready. */
export async function restart(fleet: BenchFleet): Promise<Result[]> {
  const took: number[] = []
  const sent: string[] = []
  const pings: number[] = []
  const others: number[] = []
  const listenedMs: number[] = []
  const cpuMs: number[] = []
  for (let i = 0; i < SAMPLES; i++) {
    await fleet.restartAuthority()
    const readyMs = await fleet.authority.ready()
    const { openMs = 0, startedMs, cpuMs: spentMs } = await fleet.authority.figures()
    took.push(readyMs - openMs)
    listenedMs.push(openMs - startedMs)
    cpuMs.push(spentMs)
    await pause(AFTERMATH_MS)
    const { addressed, bundles } = (await fleet.authority.figures()).counts
    const { PING = 0, ...rest } = addressed
    pings.push(PING)
    others.push(bundles + Object.values(rest).reduce((sum, n) => sum + n, 0))
    sent.push(`${PING} PINGs, ${bundles} bundles, ${JSON.stringify(rest)}`)
  }
  return [
    {
      what: '4a. restart of the authority of a converged fleet, from the end of listening to all Ready',
      unit: 'ms',
      samples: took,
      judged: 'p99',
      goal: 3_000,
      better: 'less',
      notes: [
        `from the process's first line to the end of listening: ${listenedMs.map((ms) => ms.toFixed(0)).join(', ')} ms`,
        `processor time until all were Ready: ${cpuMs.map((ms) => ms.toFixed(0)).join(', ')} ms`,
      ],
    },
    {
      what: '4b. PINGs sent by it',
      unit: '',
      samples: pings,
      judged: 'p99',
      goal: fleet.shape.nodes,
      better: 'less',
      notes: sent,
    },
    { what: '4c. other commands and bundles', unit: '', samples: others, judged: 'p99', goal: 0, better: 'less' },
  ]
}
