import { EXIT, type ExitCode } from '../exit.ts'
import type { Io } from '../io.ts'
import { humanDuration } from '../output/duration.ts'
import { alignRows } from '../output/table.ts'
import { keyOfTarget, parseTargets } from '../resource.ts'
import { requireAdmin } from '../state.ts'

export interface HoldsOptions {
  state?: string
  namespace?: string
  output?: string
}

/** `ppn holds`: what waits for a person. */
export async function holds(io: Io, options: HoldsOptions): Promise<ExitCode> {
  const client = await requireAdmin(io, options.state)
  const list = await client.holds()
  if (options.output === 'json') io.out(`${JSON.stringify(list, null, 2)}\n`)
  else if (list.length === 0) io.err('nothing is held\n')
  else {
    const rows = list.map((h) => [h.key, h.reason, humanDuration(io.clock.now() - h.sinceMs), h.message])
    io.out(alignRows([['OBJECT', 'REASON', 'SINCE', 'MESSAGE'], ...rows]))
  }
  return EXIT.ok
}

/** `ppn confirm KIND/NAME ... | all`: lets held deletions go on, and tries reverted bundles again. */
export async function confirm(io: Io, args: readonly string[], options: HoldsOptions): Promise<ExitCode> {
  const client = await requireAdmin(io, options.state)
  const keys = args[0] === 'all' ? ['all' as const] : parseTargets(args).map((t) => keyOfTarget(t, options.namespace))
  const confirmed = (await Promise.all(keys.map((key) => client.confirm(key)))).flat()
  for (const key of confirmed) io.out(`${key} confirmed\n`)
  if (confirmed.length === 0) io.err('nothing of that is held\n')
  return confirmed.length === 0 ? EXIT.no : EXIT.ok
}
